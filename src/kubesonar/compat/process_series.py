"""The metrics of the process itself, by the names of Prometheus' clients."""

from __future__ import annotations

import os


def process_series(started: float) -> list[tuple[str, str, float]]:
    """Return the metrics that Prometheus' clients have of their process (https://prometheus.io/docs/instrumenting/writing_clientlibs/);
    /proc/self/statm is described in proc(5)."""
    with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 (pathlib costs an agent 0.3 MiB)
        pages = file.read().split()
    size = os.sysconf("SC_PAGE_SIZE")
    times = os.times()
    return [
        ("process_cpu_seconds_total", "counter", times.user + times.system),
        ("process_open_fds", "gauge", len(os.listdir("/proc/self/fd"))),  # noqa: PTH208
        ("process_resident_memory_bytes", "gauge", int(pages[1]) * size),
        ("process_start_time_seconds", "gauge", round(started, 2)),
        ("process_virtual_memory_bytes", "gauge", int(pages[0]) * size),
    ]
