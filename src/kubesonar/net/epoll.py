"""One edge-triggered epoll for all client sockets of an event loop: TCP streams, DNS questions, trains and pings.

The loop's own `add_reader` makes and closes a handle for every wait, and uvloop's stops after the first POLLERR. Here a
socket is registered once in its life, and one wake-up serves all sockets that are ready. Closing a socket takes it out
(epoll(7))."""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable, Iterable
from weakref import WeakKeyDictionary

from kubesonar.net.deadline import Deadline, wake

_STREAM = select.EPOLLIN | select.EPOLLOUT | select.EPOLLET
_DATAGRAMS = select.EPOLLIN | select.EPOLLERR | select.EPOLLET
_BATCH = 256
"""Sockets served before the loop's other tasks have their turn."""

OnReady = Callable[[int], bool]
"""Takes the events of a socket; returns False where it stopped before the socket was read empty."""


class EpollHandler:
    """The events of one socket. One that comes while nobody waits is kept for the next wait: an edge shows once."""

    __slots__ = ("_missed", "_waiter")

    def __init__(self) -> None:
        self._missed = False
        self._waiter: asyncio.Future[bool] | None = None

    async def event(self, deadline: Deadline) -> bool:
        """Wait for any event on the socket; return False where the deadline comes first."""
        if self._missed:
            self._missed = False
            return True
        self._waiter = waiter = deadline.wait()
        try:
            return await waiter
        finally:
            self._waiter = None

    def happened(self, events: int) -> bool:
        """Take note that the socket became readable or writable, or broke."""
        if self._waiter is None or self._waiter.done():
            self._missed = True
        else:
            wake(self._waiter)
        return True


class Epoll:
    """The epoll of one loop. It is made at the first use (OSError without descriptors) and goes with the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._epoll = select.epoll()
        self._ready_of: dict[int, OnReady] = {}
        loop.add_reader(self._epoll.fileno(), self._ready)

    @classmethod
    def of(cls, loop: asyncio.AbstractEventLoop) -> Epoll:
        """Return the epoll of this loop."""
        epoll = _EPOLLS.get(loop)
        if epoll is None:
            epoll = _EPOLLS[loop] = cls(loop)
        return epoll

    def add(self, number: int) -> EpollHandler:
        """Register a socket by its descriptor, for one task that waits. Raises OSError."""
        handler = EpollHandler()
        self._epoll.register(number, _STREAM)
        self._ready_of[number] = handler.happened
        return handler

    def watch(self, number: int, ready: OnReady) -> None:
        """Have `ready` called when the socket is readable or its error queue is not empty. Raises OSError."""
        self._epoll.register(number, _DATAGRAMS)
        self._ready_of[number] = ready

    def drop(self, number: int) -> None:
        """Forget a socket that is about to be closed."""
        self._ready_of.pop(number, None)

    def _ready(self) -> None:
        self._serve(self._epoll.poll(0, _BATCH))

    def _serve(self, batch: Iterable[tuple[int, int]]) -> None:
        """Serve these sockets in order. An exception in one's handler goes to the loop; those after it are served in
        the next turn, because an edge shows once."""
        rest = iter(batch)
        try:
            for number, events in rest:
                ready = self._ready_of.get(number)
                if ready is not None and not ready(events):
                    self._epoll.modify(number, _DATAGRAMS)  # another edge for the rest, after the others had their turn
        finally:
            if left := list(rest):
                asyncio.get_running_loop().call_soon(self._serve, left)


_EPOLLS: WeakKeyDictionary[asyncio.AbstractEventLoop, Epoll] = WeakKeyDictionary()
