"""The probing half of an agent: roster and timers in, observations out."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping

import msgspec

from kubesonar.apps.agent.check_planner import Planning
from kubesonar.core.probing.plan import Rhythm
from kubesonar.core.probing.schedule import Schedule, ScheduleOptions
from kubesonar.core.telemetry.ledger import Ledger
from kubesonar.core.telemetry.self_health import SelfHealth
from kubesonar.model import Check, Fault, Kind, Member, Path, Roster, Trouble
from kubesonar.net.clock import Clock
from kubesonar.probes.source import Probe
from kubesonar.runtime.drive import Drive
from kubesonar.runtime.logs import Changes
from kubesonar.runtime.supervise import Supervisor

_LOG = logging.getLogger("kubesonar.agent")
_IN_FLIGHT = 4096


class Mesh:
    """Probes what the roster and the plan say, by the schedule, and writes every observation into the ledger."""

    def __init__(
        self,
        ledger: Ledger,
        probes: Mapping[Kind, Probe],
        health: SelfHealth,
        supervisor: Supervisor,
        clock: Clock,
        schedule: ScheduleOptions,
        planning: Planning,
        loopback: Rhythm,
        own_address: str,
    ) -> None:
        self.skipped = 0
        """Probes not made because too many were under way."""
        self.troubles = 0
        """Troubles of our own so far."""
        self._ledger = ledger
        self._probes = probes
        self._health = health
        self._supervisor = supervisor
        self._clock = clock
        self._planning = planning
        self._loopback = loopback
        self._own_address, self._own_port = own_address, ledger.member.port
        self._checks: list[Check] = []
        self._changes = Changes(_LOG)
        self._excused: frozenset[str] = frozenset()
        self._drive: Drive[Iterable[Check], Check] = Drive(
            Schedule(ledger.member.name, schedule), clock, self._launch, self.lag
        )

    def roster_changed(self, roster: Roster) -> None:
        """Plans anew. A roster that is only stale changes no check."""
        if roster.stale:
            _LOG.warning("the roster is stale", extra={"reason": roster.stale, "members": len(roster.members)})
        else:
            _LOG.info("the roster changed", extra={"revision": roster.revision, "members": len(roster.members)})
        ledger = self._ledger
        ledger.roster = roster
        self._excused = frozenset(member.name for member in roster.members if not member.expected)
        named = self._named(roster)
        self._warn_of_contradictions(roster, named)
        ledger.member = named or ledger.member
        self.replan()

    def replan(self) -> None:
        """Plans anew, for the roster in force and what the cluster depends on."""
        ledger = self._ledger
        self._checks = self._planning.checks(ledger.roster, ledger.member)
        self._checks.append(self._own_loopback())
        self.forget()
        self._drive.feed(self._checks)

    def forget(self) -> None:
        """Has the ledger let go of edges that are no longer probed, and of those who no longer ask."""
        self._ledger.retain(self._checks, self._clock.wall())

    def stop(self) -> None:
        """Launches no more probes."""
        self._drive.stop()

    def lag(self, late: float) -> None:
        """The loop was `late` seconds late."""
        self._note(self._health.lag(self._clock.wall(), late))

    def throttled(self, span: float, share: float) -> None:
        """The cgroup throttled this process in `share` of the CPU periods of the last `span` seconds."""
        self._note(self._health.throttled(self._clock.wall(), span, share))

    def calm(self) -> None:
        """Asks whether a trouble of our own has ended."""
        self._note(self._health.calm(self._clock.wall()))

    def _named(self, roster: Roster) -> Member | None:
        """This member as the roster has it, with the epoch that only it knows."""
        named = roster.named(self._ledger.member.name)
        return msgspec.structs.replace(named, epoch=self._ledger.member.epoch) if named else None

    def _warn_of_contradictions(self, roster: Roster, named: Member | None) -> None:
        """What others hold of this member goes by the roster: who wrote it should hear where it is not so."""
        me = self._ledger.member
        if named is None:
            if roster.members:
                _LOG.warning(
                    "the roster does not name me: nobody can tell whose trains mine are", extra={"me": me.name}
                )
            return
        for field in ("network", "port"):
            mine, theirs = getattr(me, field), getattr(named, field)
            if mine != theirs:
                _LOG.warning("the roster contradicts member.%s", field, extra={"mine": mine, "roster": theirs})

    def _note(self, trouble: Trouble | None) -> None:
        if trouble is None:
            return
        if trouble not in self._ledger.troubles:
            self.troubles += trouble.until is None
            what = "cannot trust myself" if trouble.until is None else "can trust myself again"
            _LOG.warning(what, extra={"cause": trouble.cause, "since": trouble.since})
        self._ledger.trouble(trouble)

    def _launch(self, check: Check) -> None:
        if len(self._supervisor) >= _IN_FLIGHT or check.kind not in self._probes:
            self.skipped += 1
        else:
            self._supervisor.run_once(check.id, self._probe(check))

    async def _probe(self, check: Check) -> None:
        observation = await self._probes[check.kind](check)
        if check.path is Path.LOOPBACK and observation.fault is Fault.TIMEOUT:
            observation = msgspec.structs.replace(observation, fault=Fault.LOCAL)  # who should have answered is us
        self._ledger.add(observation)
        accused = observation.fault is not None and observation.fault.accuses
        level = logging.INFO if check.target in self._excused else logging.WARNING
        self._changes.note(check.id, str(observation.fault) if accused else "", level, detail=observation.detail)
        if check.path is Path.LOOPBACK:
            self._note(self._health.loopback(observation))

    def _own_loopback(self) -> Check:
        """A train to the own responder: what is lost there was lost by this process, not by the network."""
        rhythm = self._loopback
        me: Member = self._ledger.member
        return Check(
            id="udp/loopback/self",
            kind=Kind.UDP,
            path=Path.LOOPBACK,
            target=me.name,
            address=self._own_address,
            port=self._own_port,
            period=rhythm.period or 10.0,
            timeout=rhythm.timeout,
        )
