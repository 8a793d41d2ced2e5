"""Looks at this process: is its loop late, is it throttled, how big is it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from kubesonar.net.clock import Clock

_PERIOD = 0.25
_EVERY = 20  # beats between two looks at the cgroup


class ProcessUsage(msgspec.Struct, frozen=True):
    """Facts of this process: CPU seconds used, resident bytes, open file descriptors."""

    cpu: float
    resident: int
    descriptors: int


def process_usage() -> ProcessUsage:
    """This process now; /proc/self/statm per proc(5)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    times = os.times()
    descriptors = sum(1 for _ in Path("/proc/self/fd").iterdir())
    return ProcessUsage(times.user + times.system, pages * os.sysconf("SC_PAGE_SIZE"), descriptors)


class Throttling(msgspec.Struct, frozen=True):
    """A cgroup's count of CPU bandwidth periods, and of those in which it was throttled."""

    periods: int
    throttled: int


def cpu_stat(root: Path = Path("/")) -> Path | None:
    """This process' cpu.stat, under cgroup v2 or v1; None where there is none to read.

    /proc/self/cgroup names the cgroup (cgroups(7)); inside a container the file system shows it as the root, so its own
    path is tried first and the mount's root after it.
    """
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
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
    """What a cpu.stat says (nr_periods and nr_throttled: the same words in v1 and v2), None where it says nothing."""
    try:
        words = dict(line.split(maxsplit=1) for line in path.read_text().splitlines() if " " in line)
        return Throttling(int(words["nr_periods"]), int(words["nr_throttled"]))
    except (OSError, KeyError, ValueError):
        return None


async def watch(
    clock: Clock, lag: Callable[[float], None], throttled: Callable[[float, float], None], root: Path = Path("/")
) -> None:
    """For ever: reports how late each beat was (`lag(seconds)`), and now and then (`throttled(span, share)`) in what
    share of the CPU periods of that span the cgroup's limit struck."""
    path = cpu_stat(root)
    before = throttling(path) if path else None
    beats, since = 0, clock.mono()
    while True:
        start = clock.mono()
        await asyncio.sleep(_PERIOD)
        lag(max(0.0, clock.mono() - start - _PERIOD))
        beats += 1
        if path and beats % _EVERY == 0:
            now = throttling(path)
            if now and before and now.periods > before.periods:
                share = (now.throttled - before.throttled) / (now.periods - before.periods)
                throttled(clock.mono() - since, share)
            before, since = now, clock.mono()
