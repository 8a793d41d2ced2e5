"""The coordinator's leadership: it sends every member a heartbeat, and knows whether a majority acknowledges.

A member that acknowledges a heartbeat promises to follow nobody else for `LEADER_LEASE` intervals from then on (the
leader lease of Gray and Cheriton, 1989, given by a majority). The coordinator counts the acknowledgement for as long
from when it *sent* the heartbeat, which was earlier. So two coordinators never hold a majority of one roster at once,
whatever the network does, as long as clocks run at about the same rate.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import Any

from kubesonar.core.membership.election.followers import Followers
from kubesonar.core.membership.events import Assembled, FollowerHeard, HeartbeatMissed, Quorum, Send
from kubesonar.core.membership.local_health import LocalHealth
from kubesonar.core.membership.member_view import MemberView
from kubesonar.core.membership.messages import Heartbeat, HeartbeatAck
from kubesonar.core.timers import Timers

LEADER_LEASE = 1.5
"""How long an acknowledgement binds and counts, in intervals. With less, a heartbeat that is late by half an interval
costs the majority; with more, a new coordinator has to wait longer."""

SLICE = 64
"""Heartbeats sent at one moment: more members than that are served in several slices of the interval, because larger
bursts overflow socket buffers."""

ROUNDS = 4
"""Rounds of heartbeats after which the coordinator reports who answered even without a majority: right after a start,
some members are not up or may not vote yet."""

ACK_PATIENCE = 0.3
"""Seconds without an acknowledgement after which the heartbeat is repeated and the failure detector asked to look.
Less causes needless pings on slow links, more delays detection."""


class Leadership:
    """The time in which this member is the coordinator: from `since` until `close`. `number` is that of the last
    heartbeat that this member ever sent. `votes_from` is when its own vote counts for itself."""

    def __init__(
        self,
        me: str,
        view: MemberView,
        interval: float,
        timers: Timers,
        emit: Callable[[Any], None],
        health: LocalHealth,
        *,
        since: float,
        number: int,
        votes_from: float,
    ) -> None:
        self.number = number
        self.since = since
        self.followers = Followers(me, view)
        self._timers = timers
        self._emit = emit
        self._health = health
        self._votes_from = votes_from
        self._view = view
        self._interval = interval
        self._open = True
        self._assembled = False
        self._rounds = 0
        self._heard_last = 1
        self._spoken = (interval, interval)
        self._trusted_from = float("-inf")

    def change(self, view: MemberView, interval: float) -> None:
        """Take over the members and how often they are sent a heartbeat (s)."""
        self._view, self._interval = view, interval
        self.followers.change(view)

    def close(self) -> None:
        """Send no more heartbeats."""
        self._open = False

    def late(self, now: float) -> None:
        """Accuse nobody of not having answered a heartbeat that was sent before: this process did not run."""
        self._trusted_from = now

    def assemble(self) -> None:
        """Report once more who answered, after the next round."""
        self._assembled, self._rounds = False, 0

    def _since(self, now: float) -> float:
        """When the oldest heartbeat was sent whose acknowledgement still counts. It counts no longer than it binds,
        also when the interval has just grown."""
        return now - LEADER_LEASE * min(*self._spoken, self._interval)

    def heard(self, now: float) -> int:
        """The number of members that follow, this one included."""
        return self.followers.count(self._since(now)) + (now >= self._votes_from)

    def majority(self, now: float) -> bool:
        """Whether more than half of the roster follows."""
        return self.heard(now) >= self._view.majority

    def quorum(self, now: float) -> Quorum:
        """Who follows, for the announcer."""
        unheard = self.followers.unheard(self._since(now))
        return Quorum(self.majority(now), unheard, now - self.since, self._interval)

    def successor(self, now: float) -> str:
        """The member to hand the office to, empty where nobody fit follows."""
        return self.followers.youngest(self._since(now))

    def acknowledged(self, source: str, epoch: int, ack: HeartbeatAck) -> None:
        """Take over an acknowledgement."""
        progress = self.followers.acknowledged(source, ack.number, epoch, ack.incarnation)
        if progress is not None:
            self._emit(FollowerHeard(source, progress.acked, epoch, ack.incarnation))

    def round(self, now: float) -> None:
        """Begin a round of heartbeats to all members; the next round follows by itself."""
        if not self._open:
            return
        self.number += 1
        self._spoken = (self._spoken[1], self._interval)
        names = list(self.followers)
        slices = ceil(len(names) / SLICE) or 1
        heard = self._heard_last = self.heard(now)
        for piece in range(slices):
            at = now + self._interval * piece / slices
            self._timers.at(at, self._send_slice, names[piece::slices], self.number, heard)
        if not self._assembled:
            last = now + self._interval * (slices - 1) / slices
            self._timers.at(last + ACK_PATIENCE * self._health.multiplier, self._assemble)
        self._timers.at(now + self._interval, self.round)

    def heartbeat(self, now: float) -> Heartbeat:
        """A heartbeat outside of the rounds, with the present figures."""
        return self._heartbeat(self.number, self.heard(now))

    def _heartbeat(self, number: int, heard: int) -> Heartbeat:
        return Heartbeat(number, self._interval, heard, len(self._view), heard >= self._view.majority)

    def _send_slice(self, now: float, names: list[str], number: int, heard: int) -> None:
        if not self._open:
            return
        heartbeat = self._heartbeat(number, heard)
        for name in names:
            if self.followers.get(name) is not None:
                self.followers.heartbeat_sent(name, now, number)
                self._emit(Send(name, heartbeat))
        self._timers.at(now + ACK_PATIENCE * self._health.multiplier, self._look_closer, names, now)

    def _look_closer(self, now: float, names: list[str], sent: float) -> None:
        if not self._open or sent < self._trusted_from:
            return
        for name in names:
            progress = self.followers.get(name)
            if progress is not None and progress.acked < sent:
                self._emit(Send(name, self._heartbeat(progress.number, self._heard_last)))
                self._emit(HeartbeatMissed(name, progress.epoch, progress.incarnation))

    def _assemble(self, now: float) -> None:
        self._rounds += 1
        if self._open and not self._assembled and (self.majority(now) or self._rounds >= ROUNDS):
            self._assembled = True
            self._emit(Assembled(tuple(self.followers.ranked(self._since(now))), len(self._view)))
