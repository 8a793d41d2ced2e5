"""The time that one exchange may take, from its first step to its last."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from kubesonar.model import Fault, clip
from kubesonar.net.clock import Clock, SystemClock

STARVED = 0.1
"""A deadline that fires later than this (s), and than a quarter of its timeout, found our own process standing still:
silence until then says nothing about the target."""

_SYSTEM = SystemClock()


class Failed(Exception):
    """An exchange ended without what was asked for. It never leaves net/ and probes/: there it becomes data."""

    def __init__(self, fault: Fault, detail: str) -> None:
        super().__init__(detail)
        self.fault = fault
        self.detail = clip(detail)


def wake(future: asyncio.Future[bool]) -> None:
    """Ends a wait of `Deadline.wait`: what was waited for is there."""
    if not future.done():
        future.set_result(True)


class Deadline:
    """One timer for a whole exchange of `timeout` seconds. `start` is by `clock.mono()`. After the deadline nothing
    waits any more, but what already lies in a socket's buffer may still be taken: a process that was kept from running
    must not call its own absence a silence of others. Use it as a context manager, on the running loop."""

    def __init__(self, timeout: float, clock: Clock = _SYSTEM) -> None:
        self.loop = asyncio.get_running_loop()
        self.mono = clock.mono
        self.start = clock.mono()
        self.timeout = timeout
        self.late = 0.0
        self.over = False
        self._waiter: asyncio.Future[bool] | None = None
        self._timer = self.loop.call_later(timeout, self._expire)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._timer.cancel()
        self._waiter = None

    def wait(self) -> asyncio.Future[bool]:
        """A future for one wait, to be ended with `wake`; its result is False where the deadline came first. One wait
        at a time."""
        self._waiter = self.loop.create_future()
        if self.over:
            self._waiter.set_result(False)
        return self._waiter

    def passed(self, waiting: str) -> Failed:
        """What a deadline that came while `waiting` means: a timeout, or nothing where we ourselves were late."""
        if self.late > max(STARVED, self.timeout / 4):
            return Failed(Fault.LOCAL, f"event loop was {self.late * 1000:.0f} ms late")
        return Failed(Fault.TIMEOUT, f"no answer within {self.timeout:g} s ({waiting})")

    def _expire(self) -> None:
        self.over = True
        self.late = self.mono() - self.start - self.timeout
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(False)
