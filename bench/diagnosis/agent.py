"""A virtual agent: the real plan, schedule and ledger of one member, in virtual time."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from bench.diagnosis.cluster import SEARCH, Cluster, Place
from kubesonar.apps.agent.options import AgentOptions
from kubesonar.core.address import of_family
from kubesonar.core.excuses import StateDates
from kubesonar.core.probing.cluster_checks import dependencies
from kubesonar.core.probing.confirmation import is_suspicious
from kubesonar.core.probing.planner import CheckPlanner
from kubesonar.core.probing.schedule import Plan, Schedule
from kubesonar.core.telemetry.ledger import Ledger
from kubesonar.core.telemetry.self_health import SelfHealth
from kubesonar.model import Check, Member, Observation, Path, Roster, Saturation, Snapshot, Trouble

_RETAIN = 30.0
"""Seconds between two looks for edges to forget, as in the agent."""


class VirtualAgent:
    """One member. `offset` is how far its wall clock is ahead of the cluster's (s); `alive` is False while its process
    is gone, and `absent` says that its address is then nobody's, so that no kernel refuses for it; it does nothing
    before `thaw`, where that lies ahead."""

    def __init__(
        self, member: Member, cluster: Cluster, options: AgentOptions, now: float, offset: float = 0.0
    ) -> None:
        self.place: Place = cluster.places[member.name]
        self.alive = True
        self.absent = False
        self.thaw = 0.0
        self._froze = 0.0
        self.accepted = 0
        """Connections that wait in the queue of a process that is frozen."""
        self.older = False
        """Whether it is of the version before: its snapshot remembers one minute, and no train from or to it has a
        datagram of full size."""
        self.conntrack_drops = 0
        """Packets that the node's kernel dropped in the last minute because its conntrack table is full."""
        self._wall = cluster.epoch + offset
        self._options = options
        self._member = msgspec.structs.replace(member, epoch=round((self._wall + now) * 1000))
        self.ledger = Ledger(self._member, self._wall + now, options.ledger)
        self._schedule = Schedule(member.name)
        self._planner = CheckPlanner(options.planner(SEARCH, "127.0.0.1"))
        self._cluster = cluster
        self._find(tuple(cluster.dns))
        self._health = SelfHealth(options.health)
        self._dates = StateDates()
        self._checks: list[Check] = []
        self._numbers: dict[str, int] = {}
        self._base = int(self._wall + now)
        self._retained = now

    @property
    def name(self) -> str:
        """The member's name."""
        return self._member.name

    def address(self, family: int) -> str:
        """Its address of that family, its only one where it has none of it."""
        return of_family(self._member.addresses, family) or self._member.addresses[0]

    @property
    def due(self) -> float:
        """When it wants to wake up."""
        due = self._schedule.due
        return math.inf if due is None else due

    def wall(self, now: float) -> float:
        """Its wall clock."""
        return self._wall + now

    def running(self, now: float) -> bool:
        """Whether it does anything."""
        return self.alive and now >= self.thaw

    def number(self, target: str) -> int:
        """The number of its next train to that target."""
        number = self._numbers.get(target, self._base)
        self._numbers[target] = number + 1
        return number

    def set_roster(self, roster: Roster, now: float) -> list[Check]:
        """Plans for that roster; returns what is due at once."""
        self.ledger.roster_changed(self._dates.dated(roster, self.wall(now)))
        return self._plan(now)

    def set_dns(self, names: Sequence[str], now: float) -> list[Check]:
        """Plans for these DNS pods; returns what is due at once."""
        self._find(names)
        return self._plan(now)

    def _find(self, names: Sequence[str]) -> None:
        found = self._cluster.surroundings(self._member.node, names)
        self._planner.found(dependencies(self._options.cluster, found).checks)

    def _plan(self, now: float) -> list[Check]:
        self._checks = self._planner.checks(self.ledger.roster, self.ledger.member)
        self.ledger.retain(self._checks, self.wall(now))
        return self._schedule.step(now, Plan(tuple(self._checks), self._planner.spare))

    def wake(self, now: float) -> list[Check]:
        """What is to be launched."""
        if now - self._retained >= _RETAIN:
            self._retained = now
            self.ledger.retain(self._checks, self.wall(now))
        return self._schedule.step(now)

    def add(self, observation: Observation, now: float) -> list[Check]:
        """Takes in what a probe came to, or what the responder recorded; returns what is due at once."""
        self.ledger.add(observation)
        if observation.check.path is Path.LOOPBACK:
            self._note(self._health.loopback(observation))
        return self._schedule.step(now, observation) if is_suspicious(observation) else []

    def freeze(self, now: float, until: float) -> None:
        """Does nothing from now until then."""
        if self.running(now):
            self._froze = now
        self.thaw, self.accepted = max(self.thaw, until), 0

    def stood_still(self, now: float, span: float) -> None:
        """Its process did not run for so long (s), unless it still does not: its beat is that late."""
        if self.running(now):
            self._note(self._health.lag(self.wall(now), span))

    def throttle(self, now: float, span: float, share: float) -> None:
        """Its cgroup throttled it."""
        self._note(self._health.throttled(self.wall(now), span, share))

    def snapshot(self, now: float) -> Snapshot:
        """What its API shows. While it stands still that is what it will show once it runs again: timers run before
        what was received meanwhile is read, so that it has noticed."""
        if not self.running(now):
            self._note(self._health.lag(self.wall(now), now - self._froze))
        self._note(self._health.calm(self.wall(now)))
        snapshot = self.ledger.snapshot(self.wall(now))
        if self.older:
            edges = tuple(msgspec.structs.replace(edge, past=()) for edge in snapshot.edges)
            snapshot = msgspec.structs.replace(snapshot, edges=edges)
        if not self.conntrack_drops:
            return snapshot
        full = Saturation(snapshot.at, 60.0, 262_100, 262_144, conntrack_drops=self.conntrack_drops)
        return msgspec.structs.replace(snapshot, saturation=full)

    def _note(self, trouble: Trouble | None) -> None:
        if trouble is not None:
            self.ledger.trouble(trouble)
