"""Keeps which coordinator a member follows, since when, and what it has promised."""

from __future__ import annotations

from kubesonar.core.membership.election.followers import NEVER
from kubesonar.core.membership.election.leader import LEADER_LEASE
from kubesonar.core.membership.messages import Alive, Heartbeat

RECENT = 1.15
"""A coordinator heard within so many of its intervals is there. Less than `ELECTION_TIMEOUT` less one interval, so that
no member takes a dead coordinator for alive when the first one calls an election."""


class FollowerState:
    """`coordinator` is empty while there is none. It was heard `last`: by this member itself (`direct`), or by another
    one that said so. `heartbeat` is the last one that this member got."""

    __slots__ = ("_promised_to", "coordinator", "direct", "epoch", "heartbeat", "last", "promised_until")

    def __init__(self, interval: float) -> None:
        self.coordinator = ""
        self.epoch = 0
        self.direct = False
        self.last = NEVER
        self.heartbeat = Heartbeat(0, interval)
        self.promised_until = NEVER
        self._promised_to = ""

    def fresh(self, now: float) -> bool:
        """Whether there is a coordinator that was heard lately."""
        return self.coordinator != "" and now - self.last <= RECENT * self.heartbeat.interval

    def bound_elsewhere(self, now: float, source: str) -> bool:
        """Whether a promise to another coordinator forbids to follow `source` yet."""
        return now < self.promised_until and source != self._promised_to

    def stale(self, now: float, source: str, epoch: int, heartbeat: Heartbeat) -> bool:
        """Whether this heartbeat was sent before one that was heard lately."""
        heard = source == self.coordinator and self.direct and self.fresh(now)
        return heard and (epoch, heartbeat.number) < (self.epoch, self.heartbeat.number)

    def follow(self, now: float, source: str, epoch: int, heartbeat: Heartbeat) -> None:
        """Follow the sender of this heartbeat from now on."""
        self.coordinator, self.epoch, self.heartbeat = source, epoch, heartbeat
        self.direct, self.last = True, now

    def late(self, now: float) -> None:
        """Count the coordinator as heard now: this member did not run for a while, in which heartbeats may have been
        lost."""
        self.last = now

    def promise(self, now: float) -> None:
        """Promise the coordinator to follow nobody else for a leader lease."""
        self.promised_until = now + LEADER_LEASE * self.heartbeat.interval
        self._promised_to = self.coordinator

    def hearsay(self, now: float, alive: Alive) -> None:
        """Keep a coordinator that another member hears."""
        if alive.coordinator != self.coordinator:
            self.heartbeat = Heartbeat(0, self.heartbeat.interval)
        self.coordinator, self.epoch = alive.coordinator, alive.epoch
        self.direct, self.last = False, now - alive.age

    def lead(self, me: str, epoch: int) -> None:
        """This member is the coordinator itself. What it promised another still holds."""
        self.leave(released=False)
        self.coordinator, self.epoch = me, epoch

    def leave(self, *, released: bool) -> None:
        """Follow nobody; a promise holds on unless the coordinator itself released this member from it."""
        self.coordinator, self.epoch, self.direct, self.last = "", 0, False, NEVER
        if released:
            self.promised_until = NEVER
