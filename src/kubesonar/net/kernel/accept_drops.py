"""Counts connections that the kernel dropped because more came than were accepted, and nothing that a network lost."""

from __future__ import annotations

import socket
from collections.abc import Iterable

from kubesonar.net.kernel.queue_drops import queue_drops
from kubesonar.net.watched_file import read_file

_LARGEST = 64 << 10
"""Most bytes of /proc/net/netstat, which has 4 KiB. More, and reading takes the event loop's time; fewer, and a kernel
with more counters is not read."""

_COUNTER = "ListenOverflows"


class AcceptDrops:
    """Connections dropped at listening sockets of this process.

    What a socket counts is not enough: a SYN that is sent again, because the network lost the answer to it, counts as
    well, and a member with a lossy link would hold that loss for its own. Overflows of accept queues are counted for
    the whole network namespace. So of what the sockets dropped between two looks as many count as overflowed since they
    dropped something before; all where the kernel does not tell that (gVisor). Its counters are read only where they
    dropped something: an agent at rest looks each second."""

    def __init__(self, root: str = "/") -> None:
        """Begin to count. `root` is the directory above /proc."""
        self._path = f"{root}proc/net/netstat"
        self._dropped = 0
        self._overflows = _overflows(self._path)
        self._total = 0

    def count(self, sockets: Iterable[socket.socket]) -> int:
        """Return how many there were so far; to be called again and again, each time with all sockets."""
        before, self._dropped = self._dropped, sum(map(queue_drops, sockets))
        fresh = self._dropped - before
        if fresh > 0:
            overflows_before, self._overflows = self._overflows, _overflows(self._path)
            if self._overflows is not None and overflows_before is not None:
                fresh = min(fresh, max(0, self._overflows - overflows_before))
            self._total += fresh
        return self._total


def _overflows(path: str) -> int | None:
    """Return how many connections found an accept queue full in this network namespace, None where that is not told.

    The file has pairs of lines: names of counters, then their numbers (proc(5))."""
    try:
        lines = [line.split() for line in read_file(path, _LARGEST).decode("ascii", "replace").splitlines()]
    except (OSError, ValueError):
        return None
    for names, numbers in zip(lines[::2], lines[1::2], strict=False):
        counters = dict(zip(names, numbers, strict=False))
        if counters.get(_COUNTER, "").isdigit():
            return int(counters[_COUNTER])
    return None
