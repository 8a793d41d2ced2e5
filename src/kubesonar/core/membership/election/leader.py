"""The coordinator's leadership: it sends every member a heartbeat, and knows whether a majority acknowledges.

A member that acknowledges a heartbeat promises to follow nobody else for `LEADER_LEASE` intervals from then on (the
leader lease of Gray and Cheriton, 1989, given by a majority). The coordinator counts the acknowledgement for as long
from when it *sent* the heartbeat, which was earlier. So two coordinators never hold a majority of one roster at once,
whatever the network does, as long as clocks run at about the same rate.

Members live in two networks, which may not reach each other. So the majority is one of each network by itself: a
coordinator speaks for every network of which it has a majority.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import Any

from msgspec.structs import replace

from kubesonar.core.membership.election.followers import Followers
from kubesonar.core.membership.events import Apart, Assembled, FollowerHeard, HeartbeatMissed, Quorum, Send
from kubesonar.core.membership.local_health import LocalHealth
from kubesonar.core.membership.member_view import MemberView
from kubesonar.core.membership.messages import Heartbeat, HeartbeatAck
from kubesonar.core.timers import Timers
from kubesonar.model import Network

LEADER_LEASE = 1.5
"""Intervals for which an acknowledgement binds and counts. With less, a heartbeat that is late by half an interval
costs the majority; with more, a new coordinator has to wait longer."""

SLICE = 64
"""Heartbeats sent at one moment: more members than that are served in several slices of the interval, because larger
bursts overflow socket buffers."""

ROUNDS = 4
"""Rounds of heartbeats after which the coordinator reports who answered even without a majority: right after a start,
some members are not up or may not vote yet."""

SETTLING = 2.0
"""Intervals after its election for which a coordinator cannot tell whether it reaches the other network: with less, an
answer that is lost makes networks look apart, and one event is told by both; with more, networks that are apart hear of
a coordinator's death later."""

REACH = 3.0
"""Intervals for which a member that answered a heartbeat counts as reached, whomever it follows. With less, lost
datagrams make two networks look apart; with more, a network that is cut off counts as reached."""

MERGE_PATIENCE = 6.0
"""Seconds after its election for which a coordinator that reaches more than half of those in the other network that
follow another one leaves announcements to whichever of both remains. With less, one event is told by both; with more, a
network whose members only some of the other reach hears of deaths later."""

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
        self._me = me
        self._view = view
        self.network = view.members[me].network
        self._interval = interval
        self._open = True
        self._assembled = False
        self._rounds = 0
        self._said: dict[Network, Heartbeat] = {}
        self._reported: frozenset[Network] = frozenset()
        self._elsewhere: dict[Network, int] = {}
        self._changed = 0
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
        """Return when the oldest heartbeat was sent whose acknowledgement still counts. It counts no longer than it
        binds, also when the interval has just grown."""
        return now - LEADER_LEASE * min(*self._spoken, self._interval)

    def heard(self, now: float, network: Network | None = None) -> int:
        """The number of members of a network that follow; of its own network where none is given, itself included."""
        network = network or self.network
        return self.followers.count(network, self._since(now)) + (network is self.network and now >= self._votes_from)

    def reached(self, now: float, network: Network) -> int:
        """The number of members of a network that answer, whomever they follow."""
        return self.followers.reached(network, now - REACH * self._interval)

    def majority(self, now: float) -> bool:
        """Whether more than half of its own network follows."""
        return self.network in self.networks(now)

    def networks(self, now: float) -> frozenset[Network]:
        """The networks of which more than half follows."""
        parts = self._view.networks.items()
        return frozenset(network for network, part in parts if self.heard(now, network) >= part.majority)

    def following(self, now: float) -> int:
        """The number of members of all networks that follow, this one included."""
        return sum(self.heard(now, network) for network in self._view.networks)

    def quorum(self, now: float) -> Quorum:
        """Return who follows, for the announcer."""
        networks = self.networks(now)
        tenure = now - self.since
        merging = tenure < MERGE_PATIENCE and self._may_merge(tenure, self._apart(now, networks))
        unheard = self.followers.unheard(networks, self._since(now))
        return Quorum(networks if self.network in networks else frozenset(), unheard, tenure, self._interval, merging)

    def _may_merge(self, tenure: float, apart: dict[Network, int]) -> bool:
        """Whether one coordinator may remain for this network and those that are `apart` now. One does that reaches all
        that follow the other one; so none does where it reaches few of them and none comes over."""
        if tenure < SETTLING * self._interval:
            return bool(apart)
        return any(
            2 * reached > self._elsewhere.get(network, 0) or self.followers.count(network, self.since)
            for network, reached in apart.items()
            if reached
        )

    def follows_other(self, network: Network, heard: int) -> None:
        """Note that so many members of another network follow a coordinator of their own."""
        self._elsewhere[network] = max(heard, self._elsewhere.get(network, 0))

    def _apart(self, now: float, networks: frozenset[Network]) -> dict[Network, int]:
        """The other networks for which it does not speak, and how many of their members answer all the same."""
        apart = self._view.networks.keys() - networks - {self.network}
        return {network: self.reached(now, network) for network in apart}

    def successor(self, now: float) -> str:
        """The member to hand the office to, empty where nobody fit follows."""
        return self.followers.youngest(self._since(now))

    def acknowledged(self, now: float, source: str, epoch: int, ack: HeartbeatAck) -> None:
        """Take over an acknowledgement."""
        self.followers.answered(source, now)
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
        self._said = {network: self._heartbeat(now, network) for network in self._view.networks}
        for piece in range(slices):
            at = now + self._interval * piece / slices
            self._timers.at(at, self._send_slice, names[piece::slices], self._said)
        self._notice_change(now)
        if not self._assembled:
            last = now + self._interval * (slices - 1) / slices
            self._timers.at(last + ACK_PATIENCE * self._health.multiplier, self._assemble)
        self._timers.at(now + self._interval, self.round)

    def _notice_change(self, now: float) -> None:
        """Report anew who follows, where it speaks for other networks than it did, and has for some rounds."""
        networks = self.networks(now) if self._assembled else frozenset()
        differs = self.network in networks and networks != self._reported
        self._changed = self._changed + 1 if differs else 0
        if self._changed >= ROUNDS:
            self.assemble()

    def heartbeat(self, now: float, name: str) -> Heartbeat:
        """A heartbeat to that member outside of the rounds, with the present figures."""
        return self._heartbeat(now, self._network_of(name))

    def _network_of(self, name: str) -> Network:
        member = self._view.members.get(name)
        return member.network if member is not None else self.network

    def _heartbeat(self, now: float, network: Network) -> Heartbeat:
        heard, part = self.heard(now, network), self._view.networks[network]
        other = network is not self.network
        return Heartbeat(
            self.number,
            self._interval,
            heard,
            len(part),
            heard >= part.majority,
            reaches=self.reached(now, network) if other else 0,
            holds=self.heard(now) if other else 0,
        )

    def _send_slice(self, now: float, names: list[str], said: dict[Network, Heartbeat]) -> None:
        if not self._open:
            return
        for name in names:
            heartbeat = said.get(self._network_of(name))
            if self.followers.get(name) is not None and heartbeat is not None:
                self.followers.heartbeat_sent(name, now, heartbeat.number)
                self._emit(Send(name, heartbeat))
        self._timers.at(now + ACK_PATIENCE * self._health.multiplier, self._look_closer, names, now)

    def _look_closer(self, now: float, names: list[str], sent: float) -> None:
        """Repeat the heartbeat to those that did not answer, and have them looked at; not to members of a network for
        which it does not speak."""
        if not self._open or sent < self._trusted_from:
            return
        late = [(name, one) for name in names if (one := self.followers.get(name)) is not None and one.acked < sent]
        networks = {*self.networks(now), self.network} if late else ()
        for name, progress in late:
            network = self._network_of(name)
            said = self._said.get(network)
            if said is not None and network in networks:
                self._emit(Send(name, replace(said, number=progress.number)))
                self._emit(HeartbeatMissed(name, progress.epoch, progress.incarnation))

    def _assemble(self, now: float) -> None:
        """Report who follows, as soon as a majority does and no other network is about to."""
        self._rounds += 1
        networks = self.networks(now)
        apart = self._apart(now, networks)
        waits = self.network not in networks or any(apart.values())
        if self._open and not self._assembled and (self._rounds >= ROUNDS or not waits):
            self._assembled, self._reported = True, networks | {self.network}
            sizes = {network: len(self._view.networks[network]) for network in apart}
            self._emit(
                Assembled(
                    tuple(self.followers.ranked(self._since(now))),
                    len(self._view) - sum(sizes.values()),
                    tuple(Apart(network, apart[network], sizes[network]) for network in sorted(apart)),
                )
            )
