"""A machine's own timers: what to do at which time, and when the next is due."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any


class Timer:
    """One thing to do at one time; `cancel` it when it is not to be done after all."""

    __slots__ = ("_order", "act", "arguments", "when")

    def __init__(self, when: float, order: int, act: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        self.when = when
        self._order = order
        self.act: Callable[..., None] | None = act
        self.arguments = arguments

    def cancel(self) -> None:
        """It will not be done."""
        self.act = None

    def __lt__(self, other: Timer) -> bool:
        return self.when < other.when or (self.when == other.when and self._order < other._order)


class Agenda:
    """Timers in the order in which they are due; those of one time in the order in which they were set."""

    __slots__ = ("_heap", "_order")

    def __init__(self) -> None:
        self._heap: list[Timer] = []
        self._order = 0

    def __len__(self) -> int:
        return len(self._heap)

    @property
    def due(self) -> float | None:
        """When the next timer is due, None where there is none."""
        heap = self._heap
        while heap and heap[0].act is None:
            heapq.heappop(heap)
        return heap[0].when if heap else None

    def at(self, when: float, act: Callable[..., None], *arguments: Any) -> Timer:
        """Has `act(now, *arguments)` called at the first `run` from `when` on."""
        self._order += 1
        timer = Timer(when, self._order, act, arguments)
        heapq.heappush(self._heap, timer)
        return timer

    def run(self, now: float) -> None:
        """Does what is due; what that sets for `now` or before waits for the next run."""
        heap, last = self._heap, self._order
        waiting = []
        while heap and heap[0].when <= now:
            timer = heapq.heappop(heap)
            if timer._order > last:
                waiting.append(timer)
            elif timer.act is not None:
                timer.act(now, *timer.arguments)
        for timer in waiting:
            heapq.heappush(heap, timer)
