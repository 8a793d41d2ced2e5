"""Drives machines in virtual time: the same objects that `runtime` drives on asyncio, thousands of them, in no time.

What happens depends only on the machines, on what is sent, and on the `random.Random` that is handed in: the same seed
gives the same transcript, under any PYTHONHASHSEED.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any

import msgspec

from kubesonar.core.machine import Machine

if TYPE_CHECKING:
    from random import Random

ActionSink = Callable[[str, Any], None]


class TraceLine(msgspec.Struct, frozen=True, array_like=True):
    """One action in a transcript: when, whose, what."""

    at: float
    name: str
    action: Any


class Simulation:
    """A virtual clock, an agenda and machines by name.

    `act` is called with (name, action) for every action, in order; it may `send` events to machines. Things due at one
    moment happen in the order in which they were put on the agenda.
    """

    def __init__(self, random: Random, act: ActionSink | None = None) -> None:
        self.now = 0.0
        self.random = random
        self.transcript: list[TraceLine] = []
        self._act = act
        self._machines: dict[str, Machine[Any, Any]] = {}
        self._agenda: list[tuple[float, int, str, Any]] = []
        self._wakes: dict[str, float] = {}
        self._order = count()

    def add(self, name: str, machine: Machine[Any, Any]) -> None:
        """Begins to drive `machine`; its first step is by an event or when it is due."""
        self._machines[name] = machine
        self._arm(name)

    def remove(self, name: str) -> None:
        """Stops driving it: what is still on its way to it is lost, as with a crashed process."""
        del self._machines[name]
        self._wakes.pop(name, None)

    def send(self, name: str, event: Any, delay: float = 0.0, *, loss: float = 0.0) -> None:
        """Has `event` reach the machine after `delay` seconds, or never, with probability `loss`."""
        if self.random.random() >= loss:
            self._put(self.now + delay, name, event)

    def run(self, until: float) -> None:
        """Lets virtual time pass until `until` seconds."""
        while self._agenda and self._agenda[0][0] <= until:
            self.now, _, name, event = heapq.heappop(self._agenda)
            if event is None and self._wakes.get(name) != self.now:
                continue  # the machine has changed its mind about when it is due
            machine = self._machines.get(name)
            if machine is not None:
                self._step(name, machine, event)
        self.now = until

    def _step(self, name: str, machine: Machine[Any, Any], event: Any) -> None:
        for action in machine.step(self.now, event):
            self.transcript.append(TraceLine(self.now, name, action))
            if self._act is not None:
                self._act(name, action)
        self._arm(name)

    def _arm(self, name: str) -> None:
        machine = self._machines.get(name)
        due = machine.due if machine is not None else None
        if due is None:
            self._wakes.pop(name, None)
        elif self._wakes.get(name) != due or due <= self.now:
            self._wakes[name] = max(due, self.now)
            self._put(self._wakes[name], name, None)

    def _put(self, at: float, name: str, event: Any) -> None:
        heapq.heappush(self._agenda, (at, next(self._order), name, event))
