"""An event loop whose clock jumps to the next timer, so that a test of waiting takes no time and shows exact times."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

from kubesonar.net.clock import SystemClock

T = TypeVar("T")


class _JumpingSelector(selectors.SelectSelector):
    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "everybody waits and no timer runs"
        self.now += max(0.0, timeout)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Has no input and output but timers. `time` starts at 0."""

    def __init__(self) -> None:
        self.selector = _JumpingSelector()
        super().__init__(self.selector)

    def time(self) -> float:
        """Seconds of virtual time."""
        return self.selector.now


def run_virtually(work: Coroutine[Any, Any, T]) -> T:
    """Runs a coroutine in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)


def now() -> float:
    """Virtual seconds since the start of `run_virtually`, to the microsecond."""
    return round(asyncio.get_running_loop().time(), 6)


class VirtualClock(SystemClock):
    """The clock of the running virtual loop. `ahead` is for how many seconds its process has been frozen."""

    ahead = 0.0

    def mono(self) -> float:
        """See `Clock`."""
        return asyncio.get_running_loop().time() + self.ahead

    def wall(self) -> float:
        """See `Clock`."""
        return 1_700_000_000.0 + self.mono()
