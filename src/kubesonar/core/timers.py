"""The timers of a machine: callbacks by the time at which they are due."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any


class Timer:
    """One callback at one time."""

    __slots__ = ("act", "arguments")

    def __init__(self, act: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        self.act: Callable[..., None] | None = act
        self.arguments = arguments

    def cancel(self) -> None:
        """Cancel the timer; its callback is not called."""
        self.act = None


class Timers:
    """Timers in the order in which they are due; timers of one time in the order in which they were set."""

    __slots__ = ("_heap", "_order")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._order = 0

    def __len__(self) -> int:
        return len(self._heap)

    @property
    def due(self) -> float | None:
        """The time of the next timer, None where there is none."""
        heap = self._heap
        while heap:
            first = heap[0]
            if first[2].act is not None:
                return first[0]
            heapq.heappop(heap)
        return None

    def at(self, when: float, act: Callable[..., None], *arguments: Any) -> Timer:
        """Set a timer: `act(now, *arguments)` is called at the first `run` from `when` on. Return it."""
        self._order += 1
        timer = Timer(act, arguments)
        heapq.heappush(self._heap, (when, self._order, timer))
        return timer

    def run(self, now: float) -> None:
        """Call what is due at `now`. A timer that a callback sets for `now` or before waits for the next run."""
        heap, last = self._heap, self._order
        while heap and heap[0][0] <= now and heap[0][1] <= last:
            timer = heapq.heappop(heap)[2]
            if timer.act is not None:
                timer.act(now, *timer.arguments)


class Timed:
    """A machine with an agenda and a list `out` of what is to be done, both of which several machines may share; then
    whoever shares them runs the one and empties the other."""

    def __init__(self, agenda: Timers, out: list[Any]) -> None:
        self._agenda = agenda
        self._out = out

    @property
    def due(self) -> float | None:
        """When it wants to be stepped again."""
        return self._agenda.due

    def step(self, now: float, event: object = None) -> list[Any]:
        """What to do now, in order; see the class for what it may be told."""
        if event is not None:
            self.take(now, event)
        self._agenda.run(now)
        out = self._out[:]
        self._out.clear()
        return out

    def take(self, now: float, event: object) -> None:
        """Takes an event; what is to be done is then in `out`."""
        raise NotImplementedError
