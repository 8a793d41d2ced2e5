"""Time, as the rooms above are handed it: a wall clock to say when, and one that never goes back to say how long."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """`wall` is Unix seconds, `mono` seconds of a clock that never goes back (the event loop's own)."""

    def wall(self) -> float: ...

    def mono(self) -> float: ...


class SystemClock:
    """The machine's clocks. `mono` is CLOCK_MONOTONIC, which uvloop's `loop.time()` counts too."""

    wall = staticmethod(time.time)
    mono = staticmethod(time.monotonic)
