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


class TimedMachine:
    """Base of a machine (core/machine.py) that keeps timers; `due` is the time of the next one. A subclass reacts to
    events in `_take`, sets timers in `_timers` and hands actions out by `_emit`. Its own parts may be given both;
    another machine never is."""

    def __init__(self) -> None:
        self.due: float | None = None
        self._timers = Timers()
        self._actions: list[Any] = []
        self._emit = self._actions.append

    def step(self, now: float, event: object = None) -> list[Any]:
        """Take `event`, run the timers that are due, and return the actions in order."""
        if event is not None:
            self._take(now, event)
        due = self._timers.due
        if due is not None and due <= now:
            self._timers.run(now)
            due = self._timers.due
        self.due = due
        if not self._actions:
            return []
        actions = self._actions[:]
        self._actions.clear()
        return actions

    def _take(self, now: float, event: object) -> None:
        raise NotImplementedError
