"""Clocks: one of the wall for points in time, and one that never goes back for durations."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """`wall` returns Unix seconds, `mono` seconds of a clock that never goes back (the event loop's own)."""

    def wall(self) -> float: ...

    def mono(self) -> float: ...


class SystemClock:
    """The machine's clocks. `mono` is CLOCK_MONOTONIC, as uvloop's `loop.time()`."""

    wall = staticmethod(time.time)
    mono = staticmethod(time.monotonic)
