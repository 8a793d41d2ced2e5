"""The coordinator's own work: it speaks to every member, hears every member, and knows whether it hears a majority.

Nobody else talks to all. A member that answers a beacon promises to follow nobody else for `LEADER_LEASE` intervals
from then on, and the coordinator counts the answer for as long from when it sent the beacon, which was earlier; so two
coordinators never hold a majority of one roster at once, whatever the network does, as long as clocks run at about the
same rate.
"""

from __future__ import annotations

from math import ceil
from typing import Any

from kubesonar.core.membership.events import Assembled, Missing, Send
from kubesonar.core.membership.local_health import LocalHealth
from kubesonar.core.membership.member_view import MemberView
from kubesonar.core.membership.messages import Heartbeat
from kubesonar.core.timers import Timers

LEADER_LEASE = 1.5
"""How long an answer to a beacon binds and counts, in intervals: a beacon may be late by half an interval."""

SLICE = 64
"""Beacons sent at one moment; more members than that are spoken to in several slices of the interval."""

ROUNDS = 4
"""Without a majority, who answered is said after so many rounds: at a start, some are not up or may not vote yet."""

ACK_PATIENCE = 0.3
"""An answer to a beacon that takes longer (s) makes the coordinator look closer."""


class Progress:
    """What the coordinator knows of a member: when the last beacons went to it, when the last one that it answered
    did, and in which epoch and incarnation it answered."""

    __slots__ = ("acked", "before", "epoch", "number", "sent", "turn")

    def __init__(self) -> None:
        self.number = 0
        self.sent = self.before = self.acked = float("-inf")
        self.epoch = self.turn = 0


class Leadership:
    """Held from `since` until it is closed; `out` takes what is to be done. `number` is that of the last beacon that
    this member ever sent."""

    def __init__(
        self,
        name: str,
        electorate: MemberView,
        interval: float,
        agenda: Timers,
        health: LocalHealth,
        out: list[Any],
        *,
        since: float,
        number: int,
    ) -> None:
        self._name = name
        self._agenda = agenda
        self._health = health
        self._out = out
        self.number = number
        self.since = since
        self._assembled = False
        self._rounds = 0
        self._open = True
        self._heard_last = 1
        self._spoken = (interval, interval)
        self._trusted_from = float("-inf")
        self.followers: dict[str, Progress] = {}
        self.interval = interval
        self.own_vote_from = float("-inf")
        self.change(electorate, interval)

    def change(self, electorate: MemberView, interval: float) -> None:
        """The members have changed; who stays is still a follower."""
        self.interval = interval
        self._electorate = electorate
        known = self.followers
        self.followers = {name: known.get(name) or Progress() for name in electorate.members if name != self._name}

    @property
    def _window(self) -> float:
        """How long an answer counts: no longer than it binds, also when the interval has just grown."""
        return LEADER_LEASE * min(*self._spoken, self.interval)

    def close(self) -> None:
        """Speaks no more."""
        self._open = False

    def strained(self, now: float) -> None:
        """We were not running: who did not answer what was sent before may well have."""
        self._trusted_from = now

    def assemble(self) -> None:
        """Says once more who answered, after the next round."""
        self._assembled, self._rounds = False, 0

    def heard(self, now: float) -> int:
        """How many members follow, this one included."""
        since = now - self._window
        followers = sum(follower.acked >= since for follower in self.followers.values())
        return followers + (now >= self.own_vote_from)

    def majority(self, now: float) -> bool:
        """Whether more than half of the roster follows."""
        return self.heard(now) >= self._electorate.majority

    def unheard(self, now: float) -> list[str]:
        """Who does not follow."""
        since = now - self._window
        return [name for name, follower in self.followers.items() if follower.acked < since]

    def present(self, now: float) -> list[str]:
        """Who follows, first in rank first, then those that do not stand."""
        since = now - self._window
        names = [name for name, follower in self.followers.items() if follower.acked >= since]
        return sorted(names, key=self._electorate.place)

    def youngest(self, now: float) -> str:
        """Of those that follow and stand, the one that was started last: in a rollout it has had its turn, so that the
        office does not change hands at every restart. Empty where there is none."""
        names = [name for name in self.present(now) if self._electorate.stands(name)]
        return max(names, key=lambda name: self.followers[name].epoch, default="")

    def answered(self, name: str, number: int, epoch: int, turn: int) -> None:
        """A member answered the beacon of that number."""
        follower = self.followers.get(name)
        if follower is None or not follower.number - 1 <= number <= follower.number:
            return
        follower.acked = max(follower.acked, follower.sent if number == follower.number else follower.before)
        follower.epoch, follower.turn = epoch, turn

    def round(self, now: float) -> None:
        """Begins to speak to all members; the next round follows by itself."""
        if not self._open:
            return
        self.number += 1
        self._spoken = (self._spoken[1], self.interval)
        names = list(self.followers)
        slices = ceil(len(names) / SLICE) or 1
        heard = self._heard_last = self.heard(now)
        for piece in range(slices):
            at = now + self.interval * piece / slices
            self._agenda.at(at, self._speak, names[piece::slices], self.number, heard)
        if not self._assembled:
            last = now + self.interval * (slices - 1) / slices
            self._agenda.at(last + ACK_PATIENCE * self._health.stretch, self._assemble)
        self._agenda.at(now + self.interval, self.round)

    def beacon(self, now: float) -> Heartbeat:
        """What this coordinator says of itself just now."""
        return self._beacon(self.number, self.heard(now))

    def _beacon(self, number: int, heard: int) -> Heartbeat:
        electorate = self._electorate
        return Heartbeat(number, self.interval, heard, len(electorate), heard >= electorate.majority)

    def _speak(self, now: float, names: list[str], number: int, heard: int) -> None:
        if not self._open:
            return
        beacon = self._beacon(number, heard)
        for name in names:
            follower = self.followers.get(name)
            if follower is not None:
                follower.number, follower.before, follower.sent = number, follower.sent, now
                self._out.append(Send(name, beacon))
        self._agenda.at(now + ACK_PATIENCE * self._health.stretch, self._look_closer, names, now)

    def _look_closer(self, now: float, names: list[str], sent: float) -> None:
        if not self._open or sent < self._trusted_from:
            return
        for name in names:
            follower = self.followers.get(name)
            if follower is not None and follower.acked < sent:
                self._out.append(Send(name, self._beacon(follower.number, self._heard_last)))
                self._out.append(Missing(name, follower.epoch, follower.turn))

    def _assemble(self, now: float) -> None:
        self._rounds += 1
        if self._open and not self._assembled and (self.majority(now) or self._rounds >= ROUNDS):
            self._assembled = True
            self._out.append(Assembled(tuple(self.present(now)), len(self._electorate)))
