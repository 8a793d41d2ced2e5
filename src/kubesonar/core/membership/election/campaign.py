"""Calling an election (bully, Garcia-Molina, 1982): ask those of higher rank, and take the office if nobody will.

One that hears a coordinator ends the campaign, and so does one of higher rank that may be elected, if it takes the
office in time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kubesonar.core.membership.election.check_quorum import QuorumCheck
from kubesonar.core.membership.election.follower import RECENT, FollowerState
from kubesonar.core.membership.election.options import ElectionOptions
from kubesonar.core.membership.election.round import ElectionRound
from kubesonar.core.membership.events import CoordinatorLost, Elected, Send
from kubesonar.core.membership.local_health import LocalHealth
from kubesonar.core.membership.member_view import NO_MEMBERS, MemberView
from kubesonar.core.membership.messages import Alive, StartElection
from kubesonar.core.timers import Timers

JOIN = 1.5
"""A member that has just started listens for so many intervals before it votes or stands: as long as a promise binds
that it may have given before it was restarted."""


class Campaign:
    """Holds rounds of the election for the member `me`, and knows whether it may be elected itself. `win` is called
    (with the time) when it has to take the office."""

    def __init__(
        self,
        me: str,
        options: ElectionOptions,
        follower: FollowerState,
        quorum: QuorumCheck,
        health: LocalHealth,
        timers: Timers,
        emit: Callable[[Any], None],
        win: Callable[[float], None],
    ) -> None:
        self._me = me
        self._options = options
        self._follower = follower
        self._quorum = quorum
        self._health = health
        self._timers = timers
        self._emit = emit
        self._win = win
        self._view = NO_MEMBERS
        self._members = NO_MEMBERS.members
        self._votes_from = float("inf")
        self._round = ElectionRound()
        self._lost: dict[str, tuple[int, float]] = {}

    def join(self, now: float, interval: float) -> float:
        """Begin to take part, where the coordinator sends a heartbeat every `interval` seconds. Returns from when on
        this member votes."""
        self._votes_from = now + JOIN * interval
        return self._votes_from

    def change(self, view: MemberView) -> None:
        """Take over the members. Those of the member's own network elect."""
        self._members = view.members
        self._view = view.within(self._me)
        self._round.retain(view.members)
        self._lost = {name: when for name, when in self._lost.items() if name in view.members}

    def votes(self, now: float) -> bool:
        """Whether this member may promise anything to a coordinator yet."""
        return now >= self._votes_from

    def stands(self, now: float) -> bool:
        """Whether this member may be elected now."""
        return self._view.eligible(self._me) and self.votes(now) and now >= self._quorum.stands_from

    def outranks(self, other: str) -> bool:
        """Whether this member ranks before another of its network."""
        return other in self._view.members and self._view.outranks(self._me, other)

    def start(self, now: float) -> None:
        """Call an election, unless one is under way or this member may not vote yet."""
        if self._round.open or not self.votes(now):
            return
        silent = self._follower.coordinator
        if silent and not self._follower.fresh(now):
            self._round.skip(now, silent)
        self._round.begin()
        self._next_batch(now)

    def close(self) -> None:
        """End the campaign: there is a coordinator."""
        self._round.close()

    def lost(self, now: float, event: CoordinatorLost) -> None:
        """Neither call this member for a while, nor believe others that they heard it before now."""
        self._lost[event.member] = event.epoch, now
        self._round.skip(now, event.member)

    def answered(self, now: float, source: str, alive: Alive) -> None:
        """Take over the answer of a member that was called."""
        if not self._round.awaits(source, alive.number):
            return
        if self._is_coordinator(now, alive):
            self._round.close()
            if alive.coordinator != self._follower.coordinator:
                self._emit(Elected(alive.coordinator, alive.epoch, False))
            self._follower.hearsay(now, alive)
        elif alive.stands and self._view.outranks(source, self._me):
            wait = self._options.takeover * self._health.multiplier
            self._timers.at(now + wait, self._not_taken, self._round.settle(), source)
        else:
            self._round.declined(now, source)
            if not self._round.called:
                self._next_batch(now)

    def _next_batch(self, now: float) -> None:
        called = self._round.next_batch(now, self._view, self._me)
        if called:
            for name in called:
                self._emit(Send(name, StartElection(self._round.number)))
            wait = self._options.answer * self._health.multiplier
            self._timers.at(now + wait, self._unanswered, self._round.number)
            return
        self._round.close()
        if self.stands(now):
            self._win(now)

    def _unanswered(self, now: float, number: int) -> None:
        if self._round.current(number):
            self._round.skip(now, *self._round.called)
            self._next_batch(now)

    def _not_taken(self, now: float, number: int, source: str) -> None:
        if self._round.current(number):
            self._round.skip(now, source)
            self._round.begin()
            self._next_batch(now)

    def _is_coordinator(self, now: float, alive: Alive) -> bool:
        """Whether the coordinator that another member hears is one for this member too."""
        name = alive.coordinator
        if name not in self._members or name == self._me:
            return False
        if name not in self._view.members and alive.heard < self._view.majority:
            return False  # one of the other network, for which this one may not be its own
        if self._options.highest and self.outranks(name) and self.stands(now):
            return False
        lost = self._lost.get(name)
        if lost is not None and lost[0] >= alive.epoch and now - alive.age <= lost[1]:
            return False
        return alive.age <= RECENT * self._follower.heartbeat.interval
