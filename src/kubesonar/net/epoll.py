"""Epolls for the sockets of an event loop: TCP streams and DNS questions at once, trains and pings in the ticks.

The loop's own `add_reader` makes and closes a handle for every wait, and uvloop's stops after the first POLLERR. Here a
socket is registered once in its life, and one wake-up serves all sockets that are ready. Closing a socket takes it out
(epoll(7))."""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable, Iterable
from weakref import WeakKeyDictionary

from kubesonar.net.deadline import Deadline, wake
from kubesonar.net.ticks import Ticks

_STREAM = select.EPOLLIN | select.EPOLLOUT | select.EPOLLET
_DATAGRAMS = select.EPOLLIN | select.EPOLLERR
_DATAGRAMS_AT_ONCE = _DATAGRAMS | select.EPOLLET
_BATCH = 256
"""Sockets served before the loop's other tasks have their turn."""

_ROUNDS = 64
"""Times that one socket is served in a tick, for the same reason."""

OnReady = Callable[[int], bool]
"""Takes the events of a socket; returns False where the socket may hold more that it wants now."""


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
    """The sockets of one loop, on two epolls: streams are served at once; in the ticks are served datagrams, whose time
    of arrival the kernel stamps, and streams whose answers are not waited for. It is made at the first use (OSError
    without descriptors) and goes with the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._at_once = select.epoll()
        self._in_ticks: select.epoll | None = None
        self._ready_of: dict[int, OnReady] = {}
        self._loop = loop
        loop.add_reader(self._at_once.fileno(), self._ready)

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
        self._at_once.register(number, _STREAM)
        self._ready_of[number] = handler.happened
        return handler

    def serve_in_ticks(self, number: int) -> None:
        """Serve a socket that was added in the ticks from now on: its answers may wait, and wake nobody up."""
        self._at_once.unregister(number)
        self._ticked().register(number, _STREAM)

    def watch(self, number: int, ready: OnReady, *, at_once: bool = False) -> None:
        """Have `ready` called when the socket is readable or its error queue is not empty: in the next tick, or
        `at_once`, as where the kernel stamps nothing. Raises OSError."""
        if at_once:
            self._at_once.register(number, _DATAGRAMS_AT_ONCE)
        else:
            self._ticked().register(number, _DATAGRAMS)
        self._ready_of[number] = ready

    def drop(self, number: int) -> None:
        """Forget a socket that is about to be closed."""
        self._ready_of.pop(number, None)

    def _ready(self) -> None:
        self._serve(self._at_once, self._at_once.poll(0, _BATCH))

    def _ticked(self) -> select.epoll:
        """Return the epoll that is read in the ticks."""
        if self._in_ticks is None:
            self._in_ticks = select.epoll()
            Ticks.of(self._loop).read_each(self._read)
        return self._in_ticks

    def _read(self) -> None:
        """Serve the sockets whose turn is in the ticks, and those again that may hold more: to ask for all of them what
        is left costs less than to try each until it has nothing. What is too much waits for the loop's next turn."""
        epoll = self._ticked()
        batch = epoll.poll(0, _BATCH)
        if not batch:
            return
        many, more = len(batch) == _BATCH, self._serve(epoll, batch)
        content = {number for number, _ in batch} - more
        for _ in range(_ROUNDS):
            if not more:
                break
            # Those that became ready meanwhile are served too: the edge of a stream shows once.
            batch = [one for one in epoll.poll(0, _BATCH) if one[0] not in content]
            more = self._serve(epoll, batch)
            content.update(number for number, _ in batch if number not in more)
        if many or more:
            self._loop.call_soon(self._read)

    def _serve(self, epoll: select.epoll, batch: Iterable[tuple[int, int]]) -> set[int]:
        """Serve these sockets in order; return those that may hold more. An exception in one's handler goes to the
        loop; those after it are served in the next turn, because an edge shows once."""
        rest, more = iter(batch), set[int]()
        try:
            for number, events in rest:
                ready = self._ready_of.get(number)
                if ready is not None and not ready(events):
                    more.add(number)
                    if epoll is self._at_once:  # another edge for the rest, after the others had their turn
                        epoll.modify(number, _DATAGRAMS_AT_ONCE)
        finally:
            if left := list(rest):
                self._loop.call_soon(self._serve, epoll, left)
        return more


_EPOLLS: WeakKeyDictionary[asyncio.AbstractEventLoop, Epoll] = WeakKeyDictionary()
