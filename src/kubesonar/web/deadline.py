"""One time limit that moves often and runs out seldom."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class ReadDeadline:
    """At most one action is due. Moving it later costs no timer: one that fires early looks again."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None
        self._at = 0.0
        self._action: Callable[[], None] | None = None

    def set(self, seconds: float, action: Callable[[], None]) -> None:
        """Has `action` called in `seconds`, instead of what was due before."""
        self._at, self._action = self._loop.time() + seconds, action
        if self._timer is not None and self._timer.when() > self._at:
            self._timer.cancel()
            self._timer = None
        if self._timer is None:
            self._timer = self._loop.call_at(self._at, self._tick)

    def cancel(self) -> None:
        """Nothing is due any more."""
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
