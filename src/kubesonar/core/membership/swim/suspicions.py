"""Looking into suspicions: rounds of questions to others, a judgement after each, and the claim that follows.

A suspected member is told so and has until the judgement to answer anybody. Meanwhile its host is probed, by this
member and by a few others of several zones. What enough of them agree on (`agreement.py`) is claimed. A suspicion stays
open, and is looked into again, until the member answers.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kubesonar.core.membership.events import CoordinatorLost, Elected, HostProbed, ProbeHost, Send
from kubesonar.core.membership.local_health import LocalHealth
from kubesonar.core.membership.member_view import NO_MEMBERS, MemberView
from kubesonar.core.membership.messages import PingReq, PingReqReply, Reachability, StatusClaim, StatusClaimAck
from kubesonar.core.membership.swim.agreement import CONDITIONS, agree, named_witnesses
from kubesonar.core.membership.swim.claim_queue import ClaimQueue
from kubesonar.core.membership.swim.options import SuspicionOptions
from kubesonar.core.membership.swim.ping import Pings
from kubesonar.core.membership.swim.suspicion import Suspicion
from kubesonar.core.timers import Timers
from kubesonar.model import Condition

UNDECIDED = 1.5
"""A round without a judgement ends after so many times `refute`: with less, a slow witness is not heard; with more, the
next round is late."""

RECHECK = 4.0
"""Longest time between two rounds about one member (s). Less costs messages for as long as a member is dead; with more,
claims lapse (`claim_queue.VALID`)."""

OPEN_LIMIT = 256
"""Most suspicions open at one time: a bound on memory and messages when everything is silent."""

OVERTAKEN = 10.0
"""Seconds after which a sign of life of an earlier epoch is believed: until then it was overtaken on its way; later,
the member was restarted after its clock was set back (as `core/wire/replay_window.py` has it)."""


class Suspicions:
    """The open suspicions of the member `me`, by the suspected member's name."""

    def __init__(
        self,
        me: str,
        options: SuspicionOptions,
        health: LocalHealth,
        timers: Timers,
        emit: Callable[[Any], None],
        pings: Pings,
    ) -> None:
        self._me = me
        self._options = options
        self._health = health
        self._timers = timers
        self._emit = emit
        self._pings = pings
        self._view = NO_MEMBERS
        self._coordinator = Elected("", 0, False)
        self._claims = ClaimQueue(timers, emit)
        self._open: dict[str, Suspicion] = {}
        self._number = 0

    def __contains__(self, name: str) -> bool:
        return name in self._open

    @property
    def conditions(self) -> dict[str, Condition | None]:
        """The suspected members, and the condition held of each (None: not judged yet)."""
        return {name: suspicion.condition for name, suspicion in self._open.items()}

    def change(self, now: float, view: MemberView) -> None:
        """Take over the members, and drop the suspicions of those that are excused; all of them where this member is
        not on the roster."""
        self._view = view
        known = self._me in view.members
        for name in list(self._open):
            if not known or name not in view.members or not view.members[name].expected:
                del self._open[name]
                if known and name not in view.members:
                    self._claims.left(now, name)
                else:
                    self._claims.drop(name)

    def elected(self, now: float, coordinator: Elected) -> None:
        """Send claims to this coordinator; look into what was learned from the one before."""
        self._coordinator = coordinator
        for name, suspicion in self._open.items():
            if suspicion.learned:
                suspicion.learned = False
                self._claims.confirm(now, name)
        self._claims.coordinator_changed(now, coordinator.coordinator)

    def next_number(self) -> int:
        """A number for a host probe that nothing else of this member has."""
        self._number += 1
        return self._number

    def open(self, now: float, name: str, since: float, epoch: int, incarnation: int) -> None:
        """Suspect a member, silent since that time, in the epoch and incarnation in which it was known."""
        if name not in self._open and len(self._open) < OPEN_LIMIT:
            suspicion = self._open[name] = Suspicion(name, since, epoch, incarnation)
            self._round(now, suspicion)

    def recall(self, now: float, claim: StatusClaim) -> None:
        """Go on with a suspicion from before a restart of this member, which led to an announcement; of a member that
        is on the roster no more, claim that it left."""
        name = claim.member
        if name in self._open or len(self._open) >= OPEN_LIMIT or claim.what not in CONDITIONS.values():
            return
        self._claims.put(now, claim)
        self._claims.announced(name)
        if name not in self._view.members:
            self._claims.left(now, name)
            return
        suspicion = self._open[name] = Suspicion(name, now - claim.silent, claim.epoch, claim.incarnation)
        suspicion.condition = claim.what
        self._round(now, suspicion)

    def remind(self, now: float, name: str) -> None:
        """Ping a member whose condition is held, so that it refutes it if it is alive."""
        suspicion = self._open[name]
        if suspicion.condition is not None:
            self._pings.send(now, name, None, suspicion.condition, suspicion.incarnation)

    def restart(self, now: float) -> None:
        """Begin the rounds of all that are not judged anew: this process did not run."""
        for suspicion in self._open.values():
            if suspicion.condition is None:
                self._round(now, suspicion)

    # Reports

    def host_probed(self, event: HostProbed) -> None:
        """Take over the result of this member's own probe, as `IndirectProbes.host_probed` does."""
        suspicion = self._open.get(event.target)
        current = suspicion is not None and suspicion.number == event.number
        if suspicion is not None and current and event.reachability is not Reachability.AGENT:
            suspicion.report(self._view, self._me, event.reachability, self._health.weight)

    def asked_for(self, source: str, reply: PingReqReply) -> Suspicion | None:
        """The suspicion whose present round this reply belongs to, None where there is none."""
        suspicion = self._open.get(reply.target)
        current = suspicion is not None and suspicion.number == reply.number and suspicion.asked(source)
        return suspicion if current else None

    def replied(self, now: float, source: str, suspicion: Suspicion, reply: PingReqReply) -> None:
        """Take over the report of another member that did not reach the agent. One that comes a moment after the time
        of judgement is judged at once."""
        suspicion.report(self._view, source, reply.reachability, reply.weight)
        if suspicion.overdue:
            self._judge(now, suspicion, suspicion.number, False)

    def alive(self, now: float, name: str, epoch: int, incarnation: int) -> bool:
        """A suspected member answered, this member or a witness. Returns whether that ends the suspicion. A member
        whose condition is held ends it only by a later incarnation, so that its next death is another one."""
        suspicion = self._open[name]
        if epoch < suspicion.epoch and now - suspicion.since < OVERTAKEN:
            return False
        if suspicion.condition is not None:
            if epoch == suspicion.epoch and incarnation <= suspicion.incarnation:
                self.remind(now, name)
                return False
            self._claims.put(now, StatusClaim(name, epoch, incarnation, Condition.BACK))
        del self._open[name]
        return True

    def sign_of_life(self, now: float, name: str, epoch: int) -> int | None:
        """A suspected member sent a message that names no incarnation. Returns the incarnation in which it was known
        where that ends the suspicion, else None."""
        suspicion = self._open[name]
        if suspicion.condition is not None:
            self.remind(now, name)
            return None
        return suspicion.incarnation if self.alive(now, name, epoch, suspicion.incarnation) else None

    def acknowledged(self, now: float, source: str, ack: StatusClaimAck) -> None:
        """Take over an acknowledgement. One that says that the member came back later than this member knows makes the
        present silence another death. One of a claim that this member has not made is held as its own."""
        self._claims.acknowledged(source, ack)
        if source != self._coordinator.coordinator:
            return
        suspicion = self._open.get(ack.member)
        if suspicion is None or (suspicion.condition is None and ack.what is not Condition.BACK):
            self._learn(now, ack)
        elif ack.what is Condition.BACK and (ack.epoch, ack.incarnation) > (suspicion.epoch, suspicion.incarnation):
            suspicion.epoch, suspicion.incarnation, suspicion.condition = ack.epoch, ack.incarnation, None
            self._claims.drop(ack.member)
            self._next_round(now, suspicion)

    def _learn(self, now: float, ack: StatusClaimAck) -> None:
        name, member = ack.member, self._view.members.get(ack.member)
        full = name not in self._open and len(self._open) >= OPEN_LIMIT
        if member is None or not member.expected or full or ack.what not in CONDITIONS.values() or name == self._me:
            return
        claim = StatusClaim(name, ack.epoch, ack.incarnation, ack.what, told=ack.told, of_node=ack.of_node)
        self._claims.adopt(now, claim)
        suspicion = self._open[name] = Suspicion(name, now, ack.epoch, ack.incarnation)
        suspicion.condition, suspicion.learned = ack.what, True
        self._timers.at(now + RECHECK, self._next_round, suspicion)

    # Rounds

    def _round(self, now: float, suspicion: Suspicion) -> None:
        number = self.next_number()
        suspicion.begin(number)
        doubt = suspicion.condition or Condition.SUSPECT
        self._pings.send(now, suspicion.name, None, doubt, suspicion.incarnation)
        self._emit(ProbeHost(number, suspicion.name, self._options.answer))
        self._ask_others(suspicion)
        refute = self._options.refute * self._health.multiplier
        self._timers.at(now + 0.75 * refute, self._ask_more, suspicion, number)
        self._timers.at(now + refute, self._judge, suspicion, number, False)
        self._timers.at(now + UNDECIDED * refute, self._judge, suspicion, number, True)

    def _ask_more(self, now: float, suspicion: Suspicion, number: int) -> None:
        if self._current(suspicion, number) and len(suspicion.reports) <= self._options.witnesses:
            self._ask_others(suspicion)

    def _ask_others(self, suspicion: Suspicion) -> None:
        for witness in suspicion.next_witnesses(self._view, self._me, self._open):
            self._emit(Send(witness, PingReq(suspicion.number, suspicion.name)))

    def _current(self, suspicion: Suspicion, number: int) -> bool:
        return self._open.get(suspicion.name) is suspicion and suspicion.number == number

    def _judge(self, now: float, suspicion: Suspicion, number: int, last: bool) -> None:
        if not self._current(suspicion, number):
            return
        needed = suspicion.needed(self._view, self._me, self._options.witnesses, self._options.zones)
        condition = agree(suspicion.reports.values(), *needed)
        if condition is not None:
            self._decided(now, suspicion, condition)
        elif last:
            self._undecided(now, suspicion)
        else:
            suspicion.overdue = True

    def _decided(self, now: float, suspicion: Suspicion, condition: Condition) -> None:
        name, epoch = suspicion.name, suspicion.epoch
        suspicion.end()
        self._timers.at(now + RECHECK, self._next_round, suspicion)
        if condition is suspicion.condition:
            self._claims.confirm(now, name)
        else:
            suspicion.condition = condition
            silent = min(86_400.0, now - suspicion.since)
            witnesses = named_witnesses(suspicion.reports.values())
            self._claims.put(
                now, StatusClaim(name, epoch, suspicion.incarnation, condition, silent, False, witnesses)
            )  # fmt: skip
        if name == self._coordinator.coordinator and epoch >= self._coordinator.epoch:
            self._emit(CoordinatorLost(name, self._coordinator.epoch))

    def _undecided(self, now: float, suspicion: Suspicion) -> None:
        if not any(witness != self._me for witness in suspicion.reports):
            self._health.degrade()  # nobody answers this member: that says more about itself
        suspicion.end()
        pause = min(RECHECK, suspicion.round - 1) * self._health.multiplier
        self._timers.at(now + pause, self._next_round, suspicion)

    def _next_round(self, now: float, suspicion: Suspicion) -> None:
        if not self._current(suspicion, 0):
            return
        if suspicion.learned:
            self.remind(now, suspicion.name)
            self._timers.at(now + RECHECK, self._next_round, suspicion)
        else:
            self._round(now, suspicion)
