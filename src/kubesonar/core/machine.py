"""What interleaves timers with peers is a machine: it is told what happened and answers what to do.

A machine reads no clock, rolls no dice of its own, logs nothing and awaits nothing, so the same object runs on asyncio
(`runtime.py`) and, by the thousand, in virtual time (`sim/`).
"""

from __future__ import annotations

from typing import Protocol, TypeVar

Event = TypeVar("Event", contravariant=True)
Action = TypeVar("Action")


class Machine(Protocol[Event, Action]):
    """`step` takes one event (None: only time has passed) and returns what to do now, in order. `due` is the time at
    which the machine wants to be stepped again whatever happens, None for never. `now` is any clock that never goes
    back (seconds), the same at every call."""

    @property
    def due(self) -> float | None: ...

    def step(self, now: float, event: Event | None = None) -> list[Action]: ...
