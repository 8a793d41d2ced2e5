"""One edge-triggered epoll for all TCP streams and DNS sockets of an event loop; it wakes those that wait on them.

The loop's own `add_reader` makes and closes a handle for every wait, and uvloop's stops after the first POLLERR. Here a
socket is registered once in its life, and one wake-up serves all sockets that are ready. Closing a socket takes it out
(epoll(7))."""

from __future__ import annotations

import asyncio
import select
from weakref import WeakKeyDictionary

from kubesonar.net.deadline import Deadline, wake

_EVENTS = select.EPOLLIN | select.EPOLLOUT | select.EPOLLET
_BATCH = 256


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

    def happened(self) -> None:
        """Take note that the socket became readable or writable, or broke."""
        if self._waiter is None or self._waiter.done():
            self._missed = True
        else:
            wake(self._waiter)


class Epoll:
    """The epoll of one loop. It is made at the first use (OSError without descriptors) and goes with the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._epoll = select.epoll()
        self._handlers: dict[int, EpollHandler] = {}
        loop.add_reader(self._epoll.fileno(), self._ready)

    @classmethod
    def of(cls, loop: asyncio.AbstractEventLoop) -> Epoll:
        """Return the epoll of this loop."""
        epoll = _EPOLLS.get(loop)
        if epoll is None:
            epoll = _EPOLLS[loop] = cls(loop)
        return epoll

    def add(self, number: int) -> EpollHandler:
        """Register a socket by its descriptor. Raises OSError."""
        self._epoll.register(number, _EVENTS)
        handler = self._handlers[number] = EpollHandler()
        return handler

    def drop(self, number: int) -> None:
        """Forget a socket that is about to be closed."""
        self._handlers.pop(number, None)

    def _ready(self) -> None:
        for number, _ in self._epoll.poll(0, _BATCH):
            handler = self._handlers.get(number)
            if handler is not None:
                handler.happened()


_EPOLLS: WeakKeyDictionary[asyncio.AbstractEventLoop, Epoll] = WeakKeyDictionary()
