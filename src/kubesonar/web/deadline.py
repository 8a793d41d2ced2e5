"""A time limit that is moved often and seldom reached."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class ReadDeadline:
    """Calls at most one action, at the time set last. Moving the time later costs no new timer: a timer that fires too
    early is set again."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None
        self._at = 0.0
        self._action: Callable[[], None] | None = None

    def set(self, seconds: float, action: Callable[[], None]) -> None:
        """Call `action` in `seconds`, and not the action that was set before."""
        self._at, self._action = self._loop.time() + seconds, action
        if self._timer is not None and self._timer.when() > self._at:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = self._loop.call_at(self._at, self._tick)

    def cancel(self) -> None:
        """Call nothing any more."""
        self._action = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        self._timer = None
        if self._loop.time() < self._at:
            self._timer = self._loop.call_at(self._at, self._tick)
        elif self._action is not None:
            self._action()
