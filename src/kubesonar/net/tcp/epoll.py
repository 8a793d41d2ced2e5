"""Tells streams when to try again: one edge-triggered epoll for all of a loop's streams.

The loop's own `add_reader` makes and closes a handle for every wait; this registers a socket once in its life, and one
wake-up serves all sockets that are ready. Closing a socket takes it out (epoll(7))."""

from __future__ import annotations

import asyncio
import select
from weakref import WeakKeyDictionary

from kubesonar.net.deadline import Deadline, wake

_EVENTS = select.EPOLLIN | select.EPOLLOUT | select.EPOLLET
_BATCH = 256


class EpollHandler:
    """One socket. An event that came while nobody waited is kept for the next wait: an edge shows only once."""

    __slots__ = ("_missed", "_waiter")

    def __init__(self) -> None:
        self._missed = False
        self._waiter: asyncio.Future[bool] | None = None

    async def turn(self, deadline: Deadline) -> bool:
        """Waits until anything happened on the socket; False where the deadline came first."""
        if self._missed:
            self._missed = False
            return True
        self._waiter = waiter = deadline.wait()
        try:
            return await waiter
        finally:
            self._waiter = None

    def happened(self) -> None:
        """The socket became readable or writable, or broke."""
        if self._waiter is None or self._waiter.done():
            self._missed = True
        else:
            wake(self._waiter)


class Epoll:
    """The epoll of one loop, made at the first use (OSError without descriptors) and gone with the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._epoll = select.epoll()
        self._watched: dict[int, EpollHandler] = {}
        loop.add_reader(self._epoll.fileno(), self._ready)

    @classmethod
    def of(cls, loop: asyncio.AbstractEventLoop) -> Epoll:
        """The watch of this loop."""
        watch = _WATCHES.get(loop)
        if watch is None:
            watch = _WATCHES[loop] = cls(loop)
        return watch

    def add(self, number: int) -> EpollHandler:
        """Watches a connecting or connected socket by its descriptor. Raises OSError."""
        self._epoll.register(number, _EVENTS)
        watched = self._watched[number] = EpollHandler()
        return watched

    def drop(self, number: int) -> None:
        """Forgets a socket that is about to be closed."""
        self._watched.pop(number, None)

    def _ready(self) -> None:
        for number, _ in self._epoll.poll(0, _BATCH):
            watched = self._watched.get(number)
            if watched is not None:
                watched.happened()


_WATCHES: WeakKeyDictionary[asyncio.AbstractEventLoop, Epoll] = WeakKeyDictionary()
