"""Rounds of checks: all at once, one round at a time; what changed from one to the next is logged."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

import msgspec

from kubesonar.compat.kubenurse.checks.plan import SKIPPED, CheckPlan, Work
from kubesonar.compat.kubenurse.metrics.instruments import CheckInstruments
from kubesonar.compat.kubenurse.neighbours.discovery import PodView
from kubesonar.compat.kubenurse.neighbours.selection import Neighbour, nearest
from kubesonar.compat.kubenurse.settings import KubenurseSettings
from kubesonar.net.clock import Clock
from kubesonar.runtime.logs import Changes

_LOG = logging.getLogger("kubesonar.kubenurse")

OK = "ok"
_AT_ONCE = 256
"""CheckPlan under way at one time."""
_TOLD = 100
"""Failing checks of one round that the log names; /alive and the metrics have all of them."""


class RoundResult(msgspec.Struct, frozen=True):
    """What a round found: `checks` by type, "ok", "skipped" or what was wrong; `state` likewise of the neighbours as a
    whole, and all of them, asked or not. `at` is when it ended, by the clock that never goes back."""

    at: float
    checks: dict[str, str]
    state: str
    neighbours: tuple[Neighbour, ...]

    @property
    def well(self) -> bool:
        """Whether nothing failed."""
        return all(text in (OK, SKIPPED) for text in (self.state, *self.checks.values()))


class Rounds:
    """Runs a round every interval; `last` is what the latest found."""

    def __init__(
        self,
        settings: KubenurseSettings,
        checks: CheckPlan,
        look: Callable[[], PodView],
        instruments: CheckInstruments,
        clock: Clock,
    ) -> None:
        self.last: RoundResult | None = None
        self._settings = settings
        self._checks = checks
        self._look = look
        self._instruments = instruments
        self._clock = clock
        self._changes = Changes(_LOG)
        self._running: asyncio.Task[RoundResult] | None = None
        self._stopped = False

    async def run(self) -> None:
        """For ever. The first round comes after one interval; a round that takes longer than that delays the next one,
        and those that were missed are not made up for."""
        interval, mono = self._settings.check_interval, self._clock.mono
        due = mono() + interval
        while True:
            await asyncio.sleep(max(0.0, due - mono()))
            await self.now()
            due += interval * max(1, -(-(mono() - due) // interval))

    async def fresh(self, age: float) -> RoundResult | None:
        """The last result where it is not older than `age` seconds, else that of a round made now. What was last known
        once rounds have stopped."""
        if self._stopped or (self.last is not None and self._clock.mono() - self.last.at <= age):
            return self.last
        return await self.now()

    async def now(self) -> RoundResult:
        """The result of the round that is under way, or of one begun now."""
        if self._running is None:
            self._running = asyncio.create_task(self._round())
            self._running.add_done_callback(self._ended)
        return await asyncio.shield(self._running)

    async def stop(self) -> None:
        """Ends the round that is under way, and makes no more."""
        self._stopped = True
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait([self._running])

    def _ended(self, task: asyncio.Task[RoundResult]) -> None:
        self._running = None

    async def _round(self) -> RoundResult:
        settings, view = self._settings, self._look()
        planned = list(self._checks.fixed())
        for neighbour in nearest(list(view.neighbours), view.me.node, settings.neighbour_limit):
            planned += self._checks.of(neighbour, view.me)
        checks: dict[str, str] = {}
        for kind, text in await self._all(planned):
            if checks.get(kind, OK) == OK:  # of several addresses, the one that failed is told
                checks[kind] = text
        state = (view.trouble or OK) if settings.check_neighbourhood else SKIPPED
        self.last = RoundResult(self._clock.mono(), checks, state, view.neighbours)
        self._instruments.forget(self._clock.wall())
        self._tell(checks)
        return self.last

    def _tell(self, checks: Mapping[str, str]) -> None:
        """Logs what began to fail, fails otherwise than before, or is well again."""
        failing = {kind: text for kind, text in checks.items() if text not in (OK, SKIPPED)}
        for kind in checks.keys() - failing.keys():
            self._changes.note(kind, "")
        for kind in list(failing)[:_TOLD]:
            self._changes.note(kind, failing[kind])

    async def _all(self, planned: Sequence[tuple[str, Work | None]]) -> list[tuple[str, str]]:
        free = asyncio.Semaphore(_AT_ONCE)

        async def checked(kind: str, work: Work | None) -> tuple[str, str]:
            if work is None:
                return kind, SKIPPED
            async with free:
                start = self._clock.mono()
                answer = await work()
            if not answer.local:
                self._instruments.finished(kind, self._clock.mono() - start)
            return kind, answer.text

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(checked(kind, work)) for kind, work in planned]
        return [task.result() for task in tasks]
