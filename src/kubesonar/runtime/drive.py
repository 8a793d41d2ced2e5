"""Drives a machine of core/ on asyncio: the other driver is sim/driver.py."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

from kubesonar.core.machine import Machine
from kubesonar.net.clock import Clock

Event = TypeVar("Event")
Action = TypeVar("Action")


class Drive(Generic[Event, Action]):
    """Steps `machine` when it is fed an event (`feed`) and whenever it is due, and hands every action to `act`.

    `lag` is told how late each timed step was (seconds), which is how the process notices that its loop is starved.
    """

    def __init__(
        self,
        machine: Machine[Event, Action],
        clock: Clock,
        act: Callable[[Action], None],
        lag: Callable[[float], None],
    ) -> None:
        self._machine = machine
        self._clock = clock
        self._act = act
        self._lag = lag
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = False

    def feed(self, event: Event) -> None:
        """Has the machine take a step for `event` now."""
        self._step(event)

    def stop(self) -> None:
        """Takes no further step."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()

    def _step(self, event: Event | None) -> None:
        try:
            for action in self._machine.step(self._clock.mono(), event):
                self._act(action)
        finally:
            self._arm()  # a bug in one step must not be the last step

    def _arm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due = self._machine.due
        if due is not None and not self._stopped:
            # A loop's clock may count whole milliseconds: half a millisecond more keeps it from waking too early.
            self._timer = self._loop.call_later(max(0.0, due - self._clock.mono()) + 0.0005, self._wake, due)

    def _wake(self, due: float) -> None:
        self._timer = None
        self._lag(self._clock.mono() - due)
        self._step(None)
