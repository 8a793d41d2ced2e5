"""The role of the coordinator: how it is taken, for whom it is given up, and that a majority must follow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kubesonar.core.membership.election.campaign import Campaign
from kubesonar.core.membership.election.check_quorum import QuorumAction, QuorumCheck
from kubesonar.core.membership.election.follower import FollowerState
from kubesonar.core.membership.election.followers import NEVER
from kubesonar.core.membership.election.leader import MERGE_PATIENCE, Leadership
from kubesonar.core.membership.election.networks import PREFERRED
from kubesonar.core.membership.election.options import ElectionOptions
from kubesonar.core.membership.events import Doubted, Elected, Send, WantLease
from kubesonar.core.membership.local_health import LocalHealth
from kubesonar.core.membership.member_view import NO_MEMBERS, MemberView
from kubesonar.core.membership.messages import Alive, Heartbeat, HeartbeatAck, StepDown
from kubesonar.core.timers import Timers
from kubesonar.model import Condition, Network


class LeaderRole:
    """The role of the coordinator for the member `me`, started at `epoch`: `leadership` is the one it holds, None while
    it follows. `left` is called, with the time and the successor (empty: none), when it has stepped down."""

    def __init__(
        self,
        me: str,
        epoch: int,
        options: ElectionOptions,
        campaign: Campaign,
        follower: FollowerState,
        quorum: QuorumCheck,
        health: LocalHealth,
        timers: Timers,
        emit: Callable[[Any], None],
        left: Callable[[float, str], None],
    ) -> None:
        self._me = me
        self._epoch = epoch
        self._options = options
        self._campaign = campaign
        self._follower = follower
        self._quorum = quorum
        self._health = health
        self._timers = timers
        self._emit = emit
        self._left = left
        self._view = NO_MEMBERS
        self._interval = options.beacon
        self._heartbeats = 0
        self.leadership: Leadership | None = None

    def following(self, now: float) -> int:
        """Return how many members follow, this one included; 0 while this member does not lead."""
        return self.leadership.following(now) if self.leadership is not None else 0

    def networks(self, now: float) -> frozenset[Network]:
        """Return the networks of which a majority follows; none while this member does not lead."""
        return self.leadership.networks(now) if self.leadership is not None else frozenset()

    def change(self, now: float, view: MemberView, interval: float) -> None:
        """Take over the members and how often they are sent a heartbeat (s). One that may not lead any more steps
        down."""
        self._view, self._interval = view, interval
        if self.leadership is not None:
            self.leadership.change(view, interval)
            if not view.eligible(self._me):
                self._step_down(now, self.leadership.successor(now))

    def take(self, now: float) -> None:
        """Lead from now on."""
        self._campaign.close()  # a round may be open still, where the office was handed over meanwhile
        bound = self._follower.bound_elsewhere(now, self._me)
        leadership = self.leadership = Leadership(
            self._me, self._view, self._interval, self._timers, self._emit, self._health,
            since=now, number=self._heartbeats, votes_from=self._follower.promised_until if bound else NEVER,
        )  # fmt: skip
        self._follower.lead(self._me, self._epoch)
        self._emit(Elected(self._me, self._epoch, True))
        self._emit(WantLease(True))
        self._timers.at(now + self._interval, self._check_quorum, leadership)
        leadership.round(now)

    def acknowledged(self, now: float, source: str, epoch: int, ack: HeartbeatAck) -> None:
        """Take over an acknowledgement, if this member leads."""
        if self.leadership is not None:
            self.leadership.acknowledged(now, source, epoch, ack)

    def met_leader(self, now: float, leadership: Leadership, source: str, heartbeat: Heartbeat) -> None:
        """Settle who of two coordinators remains, after the heartbeat of another one."""
        if self._view.near(self._me, source):
            self._settle(now, leadership, source, heartbeat.heard)
        else:
            self._merge(now, leadership, source, heartbeat)

    def heard_alive(self, now: float, leadership: Leadership, source: str, alive: Alive) -> None:
        """Take over whom another member follows."""
        leadership.followers.answered(source, now)
        if not self._view.near(self._me, source):
            if alive.coordinator and source in self._view.members:
                leadership.follows_other(self._view.members[source].network, alive.heard)
            return  # whom the other network follows is for the coordinators to settle
        if alive.coordinator not in ("", self._me) and now - alive.age > leadership.since:
            self._settle(now, leadership, alive.coordinator, alive.heard)

    def give_up(self, now: float, successor: str) -> None:
        """Step down for another, if this member leads, and abstain for a while."""
        if self.leadership is not None:
            self._quorum.abstain(now)
            self._step_down(now, successor)

    def leave(self, now: float) -> None:
        """Step down, if this member leads, because it ends."""
        if self.leadership is not None:
            self._step_down(now, self.leadership.successor(now), leaves=True)

    def _settle(self, now: float, leadership: Leadership, name: str, heard: int) -> None:
        """Two lead one network, as after a split has healed: the one that hears more members goes on."""
        outranks = self._campaign.outranks(name)
        mine = leadership.heard(now)
        stays = outranks if self._options.highest else mine > heard or (mine == heard and outranks)
        if stays:
            self._emit(Send(name, leadership.heartbeat(now, name)))
        else:
            self._step_down(now, name)

    def _merge(self, now: float, leadership: Leadership, source: str, heartbeat: Heartbeat) -> None:
        """The other network has a coordinator too: step down for it, where it reaches all that follow this one, unless
        it is to step down itself."""
        leadership.followers.answered(source, now)
        network = self._view.members[source].network
        leadership.follows_other(network, heartbeat.holds)
        leads = heartbeat.holds >= self._view.networks[network].majority
        stays = leadership.network is PREFERRED and (
            now - leadership.since < MERGE_PATIENCE / 2 or leadership.reached(now, network) >= heartbeat.holds
        )
        if leads and not stays and heartbeat.reaches >= leadership.heard(now):
            self._step_down(now, source)

    def _check_quorum(self, now: float, leadership: Leadership) -> None:
        """Look whether a majority follows; at each interval in office."""
        if self.leadership is not leadership:
            return
        self._timers.at(now + self._interval, self._check_quorum, leadership)
        action = self._quorum.check(now, leadership.majority(now))
        if action is QuorumAction.STEP_DOWN:
            self.give_up(now, "")
        elif action is not QuorumAction.NONE:
            what = Condition.MINORITY if action is QuorumAction.REPORT else Condition.BACK
            self._emit(Doubted(what, leadership.heard(now), len(self._view.within(self._me))))

    def _step_down(self, now: float, successor: str, *, leaves: bool = False) -> None:
        leadership = self.leadership
        assert leadership is not None
        message = StepDown(leadership.number, successor, leaves)
        for name in leadership.followers:
            self._emit(Send(name, message))
        leadership.close()
        self._heartbeats = leadership.number
        self.leadership = None
        self._left(now, successor)
