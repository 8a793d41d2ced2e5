"""Drives a machine of core/ on asyncio; sim/ drives the same machines in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

from kubesonar.core.machine import Machine
from kubesonar.net.clock import Clock

Event = TypeVar("Event")
Action = TypeVar("Action")


class Drive(Generic[Event, Action]):
    """Steps `machine` when an event is fed to it and whenever it is due, and calls `act` with each action.

    `lag` is called with how late each timed step was (seconds): so the process notices that its loop is starved.
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
        """Step the machine with `event` now."""
        self._step(event)

    def stop(self) -> None:
        """Set no timer any more; the machine is stepped only by `feed`."""
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
            # uvloop's clock counts whole milliseconds: half a millisecond more keeps the timer from firing too early.
            self._timer = self._loop.call_later(max(0.0, due - self._clock.mono()) + 0.0005, self._wake, due)

    def _wake(self, due: float) -> None:
        self._timer = None
        self._lag(self._clock.mono() - due)
        self._step(None)
