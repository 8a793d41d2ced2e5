"""Whom a member follows as coordinator, since when, and what it has promised."""

from __future__ import annotations

from kubesonar.core.membership.election.leader import LEADER_LEASE
from kubesonar.core.membership.messages import Alive, Heartbeat

RECENT = 1.15
"""A coordinator heard within so many of its intervals is there. Less than `election.SILENCE` less one interval: when
the first member calls, no other takes a dead coordinator for alive."""

NEVER = float("-inf")


class FollowerState:
    """`coordinator` is empty while there is none. `last` is when it was last heard: by ourselves (`direct`), or by a
    member that told us so."""

    __slots__ = ("_promise", "_promised_to", "beacon", "coordinator", "direct", "epoch", "last")

    def __init__(self, interval: float) -> None:
        self.coordinator = ""
        self.epoch = 0
        self.direct = False
        self.last = NEVER
        self.beacon = Heartbeat(0, interval)
        self._promise = NEVER
        self._promised_to = ""

    def fresh(self, now: float) -> bool:
        """Whether there is a coordinator that was heard lately."""
        return self.coordinator != "" and now - self.last <= RECENT * self.beacon.interval

    def bound(self, now: float) -> bool:
        """Whether what was promised still holds."""
        return now < self._promise

    def bound_elsewhere(self, now: float, source: str) -> bool:
        """Whether a promise forbids to follow `source` yet."""
        return now < self._promise and source != self._promised_to

    def promised_until(self) -> float:
        """Until when the promise holds."""
        return self._promise

    def stale(self, now: float, source: str, epoch: int, beacon: Heartbeat) -> bool:
        """Whether this beacon was sent before one that was heard lately."""
        known = source == self.coordinator and self.direct and self.fresh(now)
        return known and (epoch, beacon.number) < (self.epoch, self.beacon.number)

    def follow(self, now: float, source: str, epoch: int, beacon: Heartbeat) -> None:
        """A beacon was heard from whom we follow from now on."""
        self.coordinator, self.epoch, self.beacon = source, epoch, beacon
        self.direct, self.last = True, now

    def promise(self, now: float) -> None:
        """Binds us to the coordinator, from now."""
        self._promise = now + LEADER_LEASE * self.beacon.interval
        self._promised_to = self.coordinator

    def hearsay(self, now: float, told: Alive) -> None:
        """Another member hears a coordinator that we do not."""
        if told.coordinator != self.coordinator:
            self.beacon = Heartbeat(0, self.beacon.interval)
        self.coordinator, self.epoch = told.coordinator, told.epoch
        self.direct, self.last = False, max(now - told.age, NEVER)

    def leave(self, *, released: bool) -> None:
        """Follows nobody; a promise stays unless the coordinator itself released us from it."""
        self.coordinator, self.epoch, self.direct, self.last = "", 0, False, NEVER
        if released:
            self._promise = NEVER
