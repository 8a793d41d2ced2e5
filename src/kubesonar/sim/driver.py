"""Drives machines in virtual time: the same objects that `runtime/drive.py` drives on asyncio, thousands of them, as
fast as they compute. Used by the simulated cluster (`world.py`) and by tests of other machines.

What happens depends only on the machines and on what is fed to them, so that the same calls give the same run.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from typing import Any

from kubesonar.core.machine import Machine

INFINITE_TIME = float("inf")
_ROUNDING = 1e-9


class VirtualTime:
    """A virtual clock (`now`, in seconds) and what is to be called at which time. Calls of one time are made in the
    order in which they were put there; `len` is how many are left."""

    def __init__(self) -> None:
        self.now = 0.0
        self._agenda: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._order = count()

    def __len__(self) -> int:
        return len(self._agenda)

    def after(self, delay: float, act: Callable[..., None], *arguments: Any) -> None:
        """Call `act(*arguments)` after so many seconds."""
        heapq.heappush(self._agenda, (self.now + delay, next(self._order), act, arguments))

    def at(self, when: float, act: Callable[..., None], *arguments: Any) -> None:
        """Call `act(*arguments)` at that time."""
        heapq.heappush(self._agenda, (when, next(self._order), act, arguments))

    def run(self, until: float) -> None:
        """Let time pass until `until`."""
        agenda, pop = self._agenda, heapq.heappop
        while agenda and agenda[0][0] <= until:
            self.now, _, act, arguments = pop(agenda)
            act(*arguments)
        self.now = until


class VirtualDrive:
    """Steps `machine` when it is fed an event and whenever it is due, and hands every action to `act`. The machine's
    clock shows `offset` seconds more than `time`."""

    def __init__(
        self, time: VirtualTime, machine: Machine[Any, Any], act: Callable[[Any], None], offset: float = 0.0
    ) -> None:
        self.offset = offset
        self._time = time
        self._machine = machine
        self._act = act
        self._wake = INFINITE_TIME
        self._running = True

    def feed(self, event: Any = None) -> None:
        """Have the machine take a step for `event`, or for the time alone."""
        local = self._time.now + self.offset
        if event is None:
            local += _ROUNDING  # rounded down, a timer would never be due
        for action in self._machine.step(local, event):
            self._act(action)
        self._arm()

    def pause(self) -> None:
        """Do not step the machine when it is due, for good or until `resume`."""
        self._running = False

    def resume(self) -> None:
        """Go on after `pause`: the timers that are due run at once."""
        self._running, self._wake = True, INFINITE_TIME
        self.feed()

    def _arm(self) -> None:
        due = self._machine.due
        if due is not None and self._running:
            at = max(due - self.offset, self._time.now)
            if at < self._wake:
                self._wake = at
                self._time.at(at, self._woken, at)

    def _woken(self, at: float) -> None:
        if self._wake != at or not self._running:
            return
        self._wake = INFINITE_TIME
        due = self._machine.due
        if due is not None and due - self.offset <= self._time.now + _ROUNDING:
            self.feed()
        else:
            self._arm()
