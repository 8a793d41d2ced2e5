"""Makes the checks of the plan when they are due, and writes every observation into the ledger."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from kubesonar.core.probing.cluster_facts import Dependencies
from kubesonar.core.probing.confirmation import is_suspicious
from kubesonar.core.probing.planner import CheckPlanner
from kubesonar.core.probing.schedule import Plan, Schedule
from kubesonar.core.telemetry.ledger import Ledger
from kubesonar.model import Check, Kind, Observation, Path, Roster
from kubesonar.net.clock import Clock
from kubesonar.probes.source import Probe
from kubesonar.runtime.drive import Drive
from kubesonar.runtime.logs import Changes
from kubesonar.runtime.supervise import Supervisor

_LOG = logging.getLogger("kubesonar.agent")

_IN_FLIGHT = 4096
"""Most tasks under way at once; lower, and a large plan on a slow network skips probes; higher, and a network that
swallows everything costs this process memory without bound."""


class ProbeLoop:
    """Plans for each roster, drives `schedule` and runs `probes` by kind. `lag` is called with how late each timed step
    was (seconds), `loopback` with each observation of the own responder. `skipped` counts checks that were not made
    because too much was under way. To be made on the running loop."""

    def __init__(
        self,
        ledger: Ledger,
        planner: CheckPlanner,
        probes: Mapping[Kind, Probe],
        schedule: Schedule,
        supervisor: Supervisor,
        clock: Clock,
        lag: Callable[[float], None],
        loopback: Callable[[Observation], None],
    ) -> None:
        self.skipped = 0
        self._ledger = ledger
        self._planner = planner
        self._probes = probes
        self._supervisor = supervisor
        self._clock = clock
        self._loopback = loopback
        self._checks: list[Check] = []
        self._changes = Changes(_LOG)
        self._excused: frozenset[str] = frozenset()
        self._fewer: int | None = None
        self._stopped = False
        self._drive: Drive[Plan | Observation, Check] = Drive(schedule, clock, self._launch, lag)

    def roster_changed(self, roster: Roster) -> None:
        """Put `roster` into force and plan for it; what in it contradicts this member's own options is logged."""
        if roster.stale:
            _LOG.warning("the roster is stale", extra={"reason": roster.stale, "members": len(roster.members)})
        else:
            _LOG.info("the roster changed", extra={"revision": roster.revision, "members": len(roster.members)})
        for sentence in self._ledger.roster_changed(roster):
            _LOG.warning("%s", sentence, extra={"member": self._ledger.member.name})
        self._excused = frozenset(member.name for member in roster.members if not member.expected)
        self._plan()

    def dependencies_changed(self, found: Dependencies) -> None:
        """Plan for what the cluster depends on; what of it cannot be checked is logged when it is new."""
        for sentence in set(found.lost) - set(self._ledger.lacks):
            _LOG.warning("%s", sentence)
        self._ledger.cannot_check(found.lost)
        if self._planner.found(found.checks):
            self._plan()

    def forget(self) -> None:
        """Drop from the ledger the edges of checks that are no longer made, and of members that no longer probe."""
        self._ledger.retain(self._checks, self._clock.wall())

    def stop(self) -> None:
        """Launch no more probes, not even where one that is under way fails."""
        self._stopped = True
        self._drive.stop()

    def _plan(self) -> None:
        self._checks = self._planner.checks(self._ledger.roster, self._ledger.member)
        fewer = self._planner.figures.fewer_neighbours
        if fewer is not None and fewer != self._fewer:
            _LOG.warning("fewer neighbours are probed, to keep to budget.conntrack", extra={"neighbours": fewer})
        self._fewer = fewer
        self.forget()
        self._drive.feed(Plan(tuple(self._checks), self._planner.spare))

    def _launch(self, check: Check) -> None:
        if self._stopped:
            return
        if len(self._supervisor) >= _IN_FLIGHT or check.kind not in self._probes:
            self.skipped += 1
        else:
            self._supervisor.run_once(check.id, self._probe(check))

    async def _probe(self, check: Check) -> None:
        observation = await self._probes[check.kind](check)
        self._ledger.add(observation)
        if is_suspicious(observation) and check.target not in self._excused:
            self._drive.feed(observation)
        accused = observation.fault is not None and observation.fault.accuses
        level = logging.INFO if check.target in self._excused else logging.WARNING
        self._changes.note(check.id, str(observation.fault) if accused else "", level, detail=observation.detail)
        if check.path is Path.LOOPBACK:
            self._loopback(observation)
