"""What processes use: CPU and memory."""

from __future__ import annotations

import os
import re
import resource
import sys
from pathlib import Path


def own_cpu() -> float:
    """CPU seconds of this process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def cpu_of(pid: int) -> float:
    """CPU seconds of another process (proc(5), stat: utime and stime)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_of(pid: int) -> tuple[float, float]:
    """RSS, and PSS (shared pages by share), of a process (MiB)."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    rss, pss = (int(re.search(rf"^{key}:\s+(\d+) kB", rollup, re.M)[1]) for key in ("Rss", "Pss"))  # type: ignore[index]
    return rss / 1024, pss / 1024


def refuse_uncompiled() -> None:
    """Raise SystemExit where Python may not keep compiled modules: each agent would compile all of kubesonar at its
    start and keep 2 MiB of that, as it never does in the image."""
    if sys.dont_write_bytecode:
        raise SystemExit("PYTHONDONTWRITEBYTECODE is set, unset it: agents that compile their modules use more memory")


def peak_of(pid: int) -> float:
    """The most memory (RSS, MiB) of a process so far."""
    status = Path(f"/proc/{pid}/status").read_text()
    return max(int(kib) for kib in re.findall(r"^Vm(?:RSS|HWM):\s+(\d+) kB", status, re.M)) / 1024
