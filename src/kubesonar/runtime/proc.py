"""Reads from the kernel how much this process uses and how often its cgroup throttles it."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec


class ProcessUsage(msgspec.Struct, frozen=True):
    """CPU seconds used since the process started, and resident bytes."""

    cpu: float
    resident: int


def process_usage() -> ProcessUsage:
    """Return the usage of this process now, from /proc/self/statm (proc(5))."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    times = os.times()
    return ProcessUsage(times.user + times.system, pages * os.sysconf("SC_PAGE_SIZE"))


class Throttling(msgspec.Struct, frozen=True):
    """A cgroup's count of CPU bandwidth periods, and of those in which it was throttled."""

    periods: int
    throttled: int


def cpu_stat(root: Path = Path("/")) -> Path | None:
    """Return the path of this process's cpu.stat, under cgroup v2 or v1; None where there is none to read.

    /proc/self/cgroup names the cgroup (cgroups(7)). Inside a container that cgroup is mounted as the root, so the named
    path is tried first and the mount's root after it.
    """
    try:
        lines = os.fsdecode((root / "proc/self/cgroup").read_bytes()).splitlines()
    except OSError:
        return None
    for line in lines:
        number, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if number == "0" and not controllers:
            mounts = ["sys/fs/cgroup", "sys/fs/cgroup/unified"]
        elif "cpu" in controllers.split(","):
            mounts = [f"sys/fs/cgroup/{controllers}", "sys/fs/cgroup/cpu"]
        else:
            continue
        for mount in mounts:
            for candidate in (root / mount / path.lstrip("/"), root / mount):
                if throttling(candidate / "cpu.stat") is not None:
                    return candidate / "cpu.stat"
    return None


def throttling(path: Path) -> Throttling | None:
    """Return the counts in a cpu.stat file (nr_periods and nr_throttled, in v1 and v2), None where it has none."""
    try:
        words = dict(line.split(maxsplit=1) for line in path.read_text().splitlines() if " " in line)
        return Throttling(int(words["nr_periods"]), int(words["nr_throttled"]))
    except (OSError, KeyError, ValueError):
        return None
