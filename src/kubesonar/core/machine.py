"""The interface of a state machine: one event comes in, a list of actions goes out.

Everything that interleaves timers with peers is written as such a machine. It reads no clock, draws random numbers only
from a generator that it was given, logs nothing and awaits nothing. So the same object runs on asyncio
(`runtime/drive.py`) and, thousands at a time, in virtual time (`sim/`).
"""

from __future__ import annotations

from typing import Protocol, TypeVar

Event = TypeVar("Event", contravariant=True)
Action = TypeVar("Action")


class Machine(Protocol[Event, Action]):
    """`step` takes one event and returns the actions to carry out now, in order; an event of None means that only time
    has passed. `due` is the time of the next step that the machine needs if no event comes before, None for never.
    `now` and `due` are seconds of one clock that never goes back."""

    @property
    def due(self) -> float | None: ...

    def step(self, now: float, event: Event | None = None) -> list[Action]: ...
