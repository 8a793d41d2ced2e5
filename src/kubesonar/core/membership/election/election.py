"""The election of a coordinator without any outside help: who leads, who follows, and what happens in between.

A coordinator that is heard stays, also when a member of higher rank comes (with `highest` it goes). A member that hears
none calls an election in its network (`campaign.py`); of two networks that reach each other, the coordinator of one
then steps down for the other (`networks.py`). That no two coordinators hold a majority at once is guaranteed by the
promises (`leader.py`); everything here only makes sure that there is a coordinator soon.
"""

from __future__ import annotations

from typing import Any

from kubesonar.core.membership.election.campaign import Campaign
from kubesonar.core.membership.election.check_quorum import QuorumAction, QuorumCheck
from kubesonar.core.membership.election.follower import FollowerState
from kubesonar.core.membership.election.leader_role import LeaderRole
from kubesonar.core.membership.election.networks import NetworkCrossing
from kubesonar.core.membership.election.options import ElectionOptions
from kubesonar.core.membership.events import (
    CoordinatorLost,
    Doubted,
    Elected,
    GaveWay,
    Late,
    Leaving,
    QuorumQuery,
    Received,
    Refuted,
    Send,
    WantLease,
)
from kubesonar.core.membership.local_health import LocalHealth
from kubesonar.core.membership.member_view import NO_MEMBERS, MemberView
from kubesonar.core.membership.messages import Alive, Heartbeat, HeartbeatAck, StartElection, StepDown
from kubesonar.core.timers import TimedMachine
from kubesonar.model import Condition, Network

ELECTION_TIMEOUT = 2.25
"""Intervals without a heartbeat after which a member calls an election: two lost ones. With less, a lost datagram
starts one; with more, a dead coordinator is replaced later."""

HANDOVER = 2.25
"""Intervals for which a member waits for the heartbeat of a successor in the other network before it calls an election.
With less, it elects another one meanwhile; with more, its network has no coordinator for longer, where the successor
does not reach it."""

LONGEST_INTERVAL = 60.0
"""Longest time between two heartbeats (s), however many members there are: the wire format allows no longer one."""


class Election(TimedMachine):
    """A machine of the member `me`, started at `epoch`. In: `MemberView`, `Received`, `CoordinatorLost`, `Late`,
    `Leaving`, `Refuted`, `QuorumQuery`, `GaveWay`. Out: `Send`, `Elected`, `Assembled`, `HeartbeatMissed`,
    `FollowerHeard`, `Doubted` (MINORITY, BACK), `WantLease`, `Quorum`."""

    def __init__(self, me: str, epoch: int, options: ElectionOptions, health: LocalHealth) -> None:
        super().__init__()
        self._me = me
        self._epoch = epoch
        self._options = options
        self._health = health
        self._view = NO_MEMBERS
        self._incarnation = 0
        self._joined = self._left = False
        self._follower = FollowerState(options.beacon)
        self._crossing = NetworkCrossing()
        self._quorum = QuorumCheck(options.minority, options.welcome)
        self._campaign = Campaign(
            me, options, self._follower, self._quorum, health, self._timers, self._emit, self._lead
        )  # fmt: skip
        self._leader = LeaderRole(
            me, epoch, options, self._campaign, self._follower, self._quorum, health, self._timers, self._emit,
            self._led,
        )  # fmt: skip
        self._handlers: dict[type, Any] = {
            Heartbeat: self._heartbeat_heard,
            HeartbeatAck: self._leader.acknowledged,
            StartElection: self._called,
            Alive: self._alive,
            StepDown: self._stepped_down,
        }

    def following(self, now: float) -> int:
        """As coordinator: how many members follow, this one included; else 0."""
        return self._leader.following(now)

    def networks(self, now: float) -> frozenset[Network]:
        """As coordinator: the networks of which a majority follows."""
        return self._leader.networks(now)

    def _take(self, now: float, event: object) -> None:
        if self._left:
            return
        leadership = self._leader.leadership
        if isinstance(event, Received):
            self._received(now, event)
        elif isinstance(event, MemberView):
            self._change(now, event)
        elif isinstance(event, QuorumQuery):
            if leadership is not None:
                self._emit(leadership.quorum(now))
        elif isinstance(event, Refuted):
            self._incarnation = event.incarnation
        elif isinstance(event, CoordinatorLost):
            self._campaign.lost(now, event)
            if (event.member, event.epoch) == (self._follower.coordinator, self._follower.epoch):
                self._vacate(now)
        elif isinstance(event, Late):
            self._follower.late(now)
            if leadership is not None:
                leadership.late(now)
        elif isinstance(event, GaveWay):
            self._leader.give_up(now, event.successor)
        elif isinstance(event, Leaving):
            self._leave(now)

    def _received(self, now: float, event: Received) -> None:
        if event.source not in self._view.members:
            return
        if event.source == self._follower.coordinator and event.epoch > self._follower.epoch:
            self._vacate(now)  # it was restarted, and does not know any more that it was the coordinator
        handler = self._handlers.get(type(event.message))
        if handler is not None:
            handler(now, event.source, event.epoch, event.message)

    # The members

    def _change(self, now: float, view: MemberView) -> None:
        self._view = view
        self._campaign.change(view)
        if not self._joined:
            self._joined = True
            self._timers.at(self._campaign.join(now, self._interval), self._check_silence)
            if self._options.period:
                self._timers.at(now + self._options.period, self._periodic)
        self._leader.change(now, view, self._interval)
        if self._follower.coordinator not in ("", self._me) and self._follower.coordinator not in view.members:
            self._vacate(now)

    @property
    def _interval(self) -> float:
        return min(LONGEST_INTERVAL, max(self._options.beacon, len(self._view) / self._options.pace))

    # Following

    def _heartbeat_heard(self, now: float, source: str, epoch: int, heartbeat: Heartbeat) -> None:
        follower, leadership = self._follower, self._leader.leadership
        near = self._view.near(self._me, source)
        if leadership is not None:
            self._leader.met_leader(now, leadership, source, heartbeat)
        elif not near and not self._crossing.may_follow(now, source, heartbeat, follower):
            if source == follower.coordinator:
                self._vacate(now)
            self._emit(Send(source, self._own_view(now, heartbeat.number)))
        elif follower.coordinator not in ("", source) and follower.bound_elsewhere(now, source):
            self._emit(Send(source, self._own_view(now, heartbeat.number)))
        elif not follower.stale(now, source, epoch, heartbeat):
            self._follow(now, source, epoch, heartbeat)

    def _follow(self, now: float, source: str, epoch: int, heartbeat: Heartbeat) -> None:
        follower = self._follower
        if (source, epoch) != (follower.coordinator, follower.epoch):
            self._emit(Elected(source, epoch, False))
        follower.follow(now, source, epoch, heartbeat)
        if self._campaign.votes(now) and not follower.bound_elsewhere(now, source):
            follower.promise(now)
            self._emit(Send(source, HeartbeatAck(heartbeat.number, self._incarnation)))
        if heartbeat.announces and self._quorum.recovered() is QuorumAction.RECOVERED:
            self._emit(Doubted(Condition.BACK, heartbeat.heard, heartbeat.of))
        if self._options.highest and self._campaign.stands(now) and self._campaign.outranks(source):
            self._campaign.start(now)
        else:
            self._campaign.close()

    def _check_silence(self, now: float) -> None:
        """Call an election if the coordinator has fallen silent, and come back when it may have."""
        limit = ELECTION_TIMEOUT * self._follower.heartbeat.interval * self._health.multiplier
        silent = now - self._follower.last >= limit
        if silent:
            self._elect(now)
        self._timers.at(now + limit if silent else self._follower.last + limit + 1e-6, self._check_silence)

    def _elect(self, now: float) -> None:
        if self._crossing.awaits(now):
            self._timers.at(self._crossing.awaited_until, self._elect_if_vacant)
        elif not self._left and self._leader.leadership is None:
            self._campaign.start(now)

    def _hand_over(self, now: float, successor: str) -> None:
        """Wait for the heartbeat of a successor in the other network before an election is called here."""
        other = successor in self._view.members and not self._view.near(self._me, successor)
        self._crossing.handed_over(successor, now + HANDOVER * self._interval if other else now)

    def _elect_if_vacant(self, now: float) -> None:
        if not self._follower.coordinator:
            self._elect(now)

    def _vacate(self, now: float) -> None:
        """The coordinator is lost; what this member promised it still holds."""
        self._follower.leave(released=False)
        self._emit(Elected("", 0, False))
        self._elect(now)

    def _stepped_down(self, now: float, source: str, epoch: int, message: StepDown) -> None:
        follower = self._follower
        if source != follower.coordinator or epoch != follower.epoch:
            return
        if not message.successor and not follower.heartbeat.announces:
            self._quorum.reported_by_other()
        follower.leave(released=True)
        self._hand_over(now, message.successor)
        self._emit(Elected("", 0, False))
        if message.successor == self._me and self._campaign.stands(now) and self._leader.leadership is None:
            self._lead(now)
        elif message.successor:
            self._timers.at(now + self._options.answer * self._health.multiplier, self._elect_if_vacant)
        else:
            self._elect(now)

    # Being called, and the answers to own calls

    def _called(self, now: float, source: str, epoch: int, call: StartElection) -> None:
        self._emit(Send(source, self._own_view(now, call.number)))
        leadership = self._leader.leadership
        if leadership is not None:
            self._emit(Send(source, leadership.heartbeat(now, source)))
        elif self._campaign.stands(now) and self._campaign.outranks(source) and not self._follower.fresh(now):
            self._elect(now)

    def _own_view(self, now: float, number: int) -> Alive:
        stands, follower, leadership = self._campaign.stands(now), self._follower, self._leader.leadership
        if leadership is not None:
            return Alive(number, self._me, self._epoch, 0.0, leadership.heard(now), stands)
        if not follower.coordinator or not follower.direct:
            return Alive(number, stands=stands)
        age = min(now - follower.last, 86_400.0)
        return Alive(number, follower.coordinator, follower.epoch, age, follower.heartbeat.heard, stands)

    def _alive(self, now: float, source: str, epoch: int, alive: Alive) -> None:
        leadership = self._leader.leadership
        if leadership is None:
            self._campaign.answered(now, source, alive)
        else:
            self._leader.heard_alive(now, leadership, source, alive)

    def _periodic(self, now: float) -> None:
        self._timers.at(now + self._options.period, self._periodic)
        if self._leader.leadership is not None:
            self._leader.leadership.assemble()
        elif not self._follower.direct or (
            self._options.highest and self._campaign.outranks(self._follower.coordinator)
        ):
            self._elect(now)

    # Leading

    def _lead(self, now: float) -> None:
        self._leader.take(now)

    def _led(self, now: float, successor: str) -> None:
        """This member has stepped down: it follows nobody until the successor is heard, or an election is over."""
        self._hand_over(now, successor)
        self._follower.leave(released=False)
        self._emit(Elected("", 0, False))
        self._emit(WantLease(False))
        self._timers.at(now + self._options.takeover * self._health.multiplier, self._elect_if_vacant)

    def _leave(self, now: float) -> None:
        self._leader.leave(now)
        self._campaign.close()
        self._left = True
