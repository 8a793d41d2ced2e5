"""The time limit of one exchange, from its first step to its last, and what its passing means."""

from __future__ import annotations

import asyncio
from contextlib import AbstractContextManager, nullcontext
from types import TracebackType
from typing import Self

from kubesonar.model import Fault, clip
from kubesonar.net.clock import Clock, SystemClock

_STARVED = 0.1
"""Seconds. Lower: ordinary jitter of the event loop excuses targets; higher: a pause of ours is blamed on them."""

_SYSTEM = SystemClock()


class Failed(Exception):
    """An exchange ended without the answer asked for. Probes turn it into an observation; it leaves no room above."""

    def __init__(self, fault: Fault, detail: str) -> None:
        super().__init__(detail)
        self.fault = fault
        self.detail = clip(detail)


def starved(late: float, timeout: float) -> bool:
    """Return whether a timer of `timeout` seconds that fires `late` seconds too late shows that this process stood
    still, so that silence until then says nothing of the target: more than 0.1 s and more than a quarter of the
    timeout. Used by `Deadline` (TCP, HTTP, ICMP, DNS) and by the sender of UDP trains."""
    return late > max(_STARVED, timeout / 4)


def wake(future: asyncio.Future[bool]) -> None:
    """End a wait of `Deadline.wait` with True: the awaited event is there."""
    if not future.done():
        future.set_result(True)


class Deadline:
    """A timer for a whole exchange of `timeout` seconds, used as a context manager on the running loop.

    After the deadline nothing waits any more, but data that already lies in a socket's buffer may still be taken: a
    process that was kept from running must not call its own absence a silence of others."""

    def __init__(self, timeout: float, clock: Clock = _SYSTEM) -> None:
        self.loop = asyncio.get_running_loop()
        self.start = clock.mono()
        self.timeout = timeout
        self.over = False
        self._clock = clock
        self._mono = clock.mono
        self._late = 0.0
        self._waiter: asyncio.Future[bool] | None = None
        self._timer = self.loop.call_later(timeout, self._expire)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._timer.cancel()
        self._waiter = None

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return self._mono() - self.start

    @property
    def left(self) -> float:
        """Seconds until the deadline, never less than 0."""
        return max(0.0, self.timeout - self.elapsed)

    def sooner(self, seconds: float) -> AbstractContextManager[Deadline]:
        """Return a context manager with the earlier of this deadline and one `seconds` from now: for a step, as the
        connect, that may take less time than the whole."""
        return Deadline(seconds, self._clock) if seconds < self.timeout and seconds < self.left else nullcontext(self)

    def apart(self) -> Deadline:
        """Return a deadline of its own that ends with this one, for one of several waits at the same time."""
        return Deadline(self.left, self._clock)

    def wait(self) -> asyncio.Future[bool]:
        """Return a future for one wait; `wake` ends it with True, the deadline with False. One wait at a time."""
        self._waiter = self.loop.create_future()
        if self.over:
            self._waiter.set_result(False)
        return self._waiter

    def passed(self, waiting: str = "") -> Failed:
        """Return the failure of an exchange that the deadline met while `waiting`: a timeout, or `Fault.LOCAL` where
        the timer itself fired so late that the silence proves nothing."""
        if starved(self._late, self.timeout):
            return Failed(Fault.LOCAL, f"event loop was {self._late * 1000:.0f} ms late")
        return Failed(Fault.TIMEOUT, f"no answer within {self.timeout:g} s" + (f" ({waiting})" if waiting else ""))

    def _expire(self) -> None:
        self.over = True
        self._late = self.elapsed - self.timeout
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(False)
