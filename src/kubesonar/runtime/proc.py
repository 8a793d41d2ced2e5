"""Reads from the kernel how much this process uses and how often its cgroup throttles it."""

from __future__ import annotations

import os

import msgspec

from kubesonar.net.watched_file import read_file

_ROOM = 1 << 16
"""Most bytes of a file that are read; one that is larger is none of the kernel's."""


class ProcessUsage(msgspec.Struct, frozen=True):
    """CPU seconds used since the process started, and resident bytes."""

    cpu: float
    resident: int


def process_usage() -> ProcessUsage:
    """Return the usage of this process now, from /proc/self/statm (proc(5))."""
    pages = int(read_file("/proc/self/statm", _ROOM).split()[1])
    times = os.times()
    return ProcessUsage(times.user + times.system, pages * os.sysconf("SC_PAGE_SIZE"))


def cpu_of_process(pid: int) -> float:
    """Return the CPU seconds that a process has used since it was started, by the kernel's ticks of 10 ms, from
    /proc/PID/stat (proc(5)); 0 for one that has ended."""
    try:
        fields = read_file(f"/proc/{pid}/stat", _ROOM).rpartition(b")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Throttling(msgspec.Struct, frozen=True):
    """A cgroup's count of CPU bandwidth periods, and of those in which it was throttled."""

    periods: int
    throttled: int


def cpu_stat(root: str = "/") -> str | None:
    """Return the path of this process's cpu.stat, under cgroup v2 or v1; None where there is none to read.

    /proc/self/cgroup names the cgroup (cgroups(7)). Inside a container that cgroup is mounted as the root, so the named
    path is tried first and the mount's root after it.
    """
    try:
        lines = os.fsdecode(read_file(f"{root}/proc/self/cgroup", _ROOM)).splitlines()
    except (OSError, ValueError):
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
            for folder in (f"{root}/{mount}/{path.strip('/')}", f"{root}/{mount}"):
                if throttling(f"{folder}/cpu.stat") is not None:
                    return f"{folder}/cpu.stat"
    return None


def throttling(path: str) -> Throttling | None:
    """Return the counts in a cpu.stat file (nr_periods and nr_throttled, in v1 and v2), None where it has none."""
    try:
        words = dict(line.split(maxsplit=1) for line in read_file(path, _ROOM).splitlines() if b" " in line)
        return Throttling(int(words[b"nr_periods"]), int(words[b"nr_throttled"]))
    except (OSError, KeyError, ValueError):
        return None
