"""Rounds of checks: all checks at once, one round at a time; what changes from one round to the next is logged."""

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
"""Checks under way at one time. More: more descriptors and connections at once; fewer: long rounds in large
clusters."""
_LOGGED = 100
"""Failing checks of one round that are logged; /alive and the metrics have all of them."""


class RoundResult(msgspec.Struct, frozen=True):
    """The result of a round that ended `at` (monotonic seconds): `checks` maps each type to "ok", "skipped" or an
    error; `state` says the same of the list of neighbours; `neighbours` has all of them, checked or not."""

    at: float
    checks: dict[str, str]
    state: str
    neighbours: tuple[Neighbour, ...]

    @property
    def well(self) -> bool:
        """Whether no check failed."""
        return all(text in (OK, SKIPPED) for text in (self.state, *self.checks.values()))


class Rounds:
    """Runs a round every interval; `last` is the result of the latest."""

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
        """Run rounds until cancelled, the first after one interval. A round that takes longer than an interval delays
        the next one; missed rounds are not made up for."""
        interval, mono = self._settings.check_interval, self._clock.mono
        due = mono() + interval
        while True:
            await asyncio.sleep(max(0.0, due - mono()))
            await self.now()
            due += interval * max(1, -(-(mono() - due) // interval))

    async def fresh(self, age: float) -> RoundResult | None:
        """Return the last result where it is at most `age` seconds old or rounds have stopped, else that of a new
        round."""
        if self._stopped or (self.last is not None and self._clock.mono() - self.last.at <= age):
            return self.last
        return await self.now()

    async def now(self) -> RoundResult:
        """Return the result of the round that is under way, or of one that begins now."""
        if self._running is None:
            self._running = asyncio.create_task(self._round())
            self._running.add_done_callback(self._ended)
        return await asyncio.shield(self._running)

    async def stop(self) -> None:
        """Cancel the round that is under way, and begin no more."""
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
        self._log(checks)
        return self.last

    def _log(self, checks: Mapping[str, str]) -> None:
        """Log checks that begin to fail, fail differently, or succeed again."""
        failing = {kind: text for kind, text in checks.items() if text not in (OK, SKIPPED)}
        for kind in checks.keys() - failing.keys():
            self._changes.note(kind, "")
        for kind in list(failing)[:_LOGGED]:
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
