"""Drives a machine of core/ on asyncio; sim/ drives the same machines in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Generic, TypeVar

from kubesonar.core.machine import Machine
from kubesonar.core.timers import Timer
from kubesonar.net.clock import Clock
from kubesonar.net.ticks import Ticks

Event = TypeVar("Event")
Action = TypeVar("Action")


class Drive(Generic[Event, Action]):
    """Steps `machine` when an event is fed to it, and at the first tick (net/ticks) at which it is due, and calls `act`
    with each action.

    `lag` is called with how late each timed step was (seconds): so the process notices that its loop is starved. The
    machine's clock never goes back: where a tick came a moment before a timer was due, it shows that timer's time until
    that has come.
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
        self._ticks = Ticks.of(asyncio.get_running_loop())
        self._timer: Timer | None = None
        self._due = self._now = float("-inf")
        self._stopped = False

    def feed(self, event: Event) -> None:
        """Step the machine with `event` now."""
        self._step(self._clock.mono(), event)

    def stop(self) -> None:
        """Set no timer any more; the machine is stepped only by `feed`."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()

    def _step(self, now: float, event: Event | None = None) -> None:
        self._now = max(now, self._now)
        try:
            for action in self._machine.step(self._now, event):
                self._act(action)
        finally:
            self._arm()  # a bug in one step must not be the last step

    def _arm(self) -> None:
        due = self._machine.due
        if self._timer is not None:
            if due == self._due:
                return
            self._timer.cancel()
            self._timer = None
        if due is not None and not self._stopped:
            self._due, self._timer = due, self._ticks.at(due, self._wake)

    def _wake(self, _now: float) -> None:
        self._timer = None
        self._lag(self._ticks.late)
        self._step(max(self._clock.mono(), self._due))
