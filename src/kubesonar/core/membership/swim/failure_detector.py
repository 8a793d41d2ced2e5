"""Is a member dead? SWIM (Das, Gupta and Motivala, 2002) with Lifeguard's corrections (Dadgar et al., 2017), and a look
at the kernel besides.

A member watches those that follow it on the ring and pings one of them at a time. Who does not answer is suspected, is
told so, and has until the judgement to answer anybody: meanwhile its host is looked at, and so do a few others of other
zones that were asked to. What enough of them agree on (`agreement.py`) goes to the coordinator as a claim, again
and again until it is noted. The case stays open until the member answers.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from kubesonar.core.hash_ring import place
from kubesonar.core.membership.events import Holder, Look, Looked, Missing, Received, Refused, Send, Strained, Vacant
from kubesonar.core.membership.local_health import LocalHealth
from kubesonar.core.membership.member_view import MemberView
from kubesonar.core.membership.messages import (
    WITNESSES,
    Ack,
    Ping,
    PingReq,
    PingReqReply,
    Reachability,
    StatusClaim,
    StatusClaimAck,
)
from kubesonar.core.membership.swim.agreement import ProbeReport, seen, verdict
from kubesonar.core.membership.swim.claim_queue import Claims
from kubesonar.core.membership.swim.ping import Pinging
from kubesonar.core.membership.swim.ping_req import Witnessing
from kubesonar.core.membership.swim.suspicion import Case
from kubesonar.core.timers import Timed, Timers
from kubesonar.model import Condition, Seconds


class SuspicionOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a member's death is found out."""

    watched: Annotated[int, msgspec.Meta(ge=1, le=16, description="How many members each member watches.")] = 3
    interval: Annotated[
        Seconds, msgspec.Meta(ge=0.1, le=60, description="Between two pings; those watched are pinged in turn.")
    ] = 1.0
    answer: Annotated[
        Seconds, msgspec.Meta(ge=0.05, le=30, description="No answer for so long, to two pings, raises a suspicion.")
    ] = 0.5
    refute: Annotated[
        Seconds, msgspec.Meta(ge=0.1, le=60, description="How long a suspected member has at least to answer anybody.")
    ] = 1.0
    witnesses: Annotated[
        int,
        msgspec.Meta(ge=1, le=3, description="Others that must have seen the same, where there are so many."),
    ] = 2
    zones: Annotated[int, msgspec.Meta(ge=1, le=3, description="Zones they must be of, where there are so many.")] = 2
    welcome: Annotated[
        Seconds, msgspec.Meta(ge=0, le=3600, description="How long a new member may take to answer for the first time.")
    ] = 30.0
    stretch: Annotated[
        int,
        msgspec.Meta(ge=0, le=16, description="How many times longer a starved member waits at most; 0: not at all."),
    ] = 8


LOST = 1.5
"""A round without a judgement ends after so many times `refute`."""

RECHECK = 4.0
"""Longest time between two rounds of one case (s)."""

CASES = 256
"""Most cases open at one time."""

OVERTAKEN = 10.0
"""What comes of an earlier epoch within this time (s) was overtaken on its way; later, the member was restarted after
its clock was set back (as `core/wire/replay_window.py` has it)."""

HEARSAY = 4.0
"""A member that answers others but not us is not suspected again for so long (s)."""


class Suspicion(Timed):
    """A machine. In: `MemberView`, `Holder`, `Received` (Ping, Ack, Ask, Witness, Noted; any other message shows
    that its sender is alive), `Looked`, `Refused`, `Missing`, `Strained`. Out: `Send`, `Look`, `Vacant`.

    `turn` is this member's own incarnation: it rises when the member learns that it was held for dead or frozen."""

    def __init__(
        self, name: str, options: SuspicionOptions, health: LocalHealth, agenda: Timers, out: list[Any]
    ) -> None:
        super().__init__(agenda, out)
        self.turn = 0
        self._name = name
        self._options = options
        self._health = health
        self._electorate: MemberView | None = None
        self._office = Holder("", 0)
        self._targets: list[str] = []
        self._next = 0
        self._known: dict[str, tuple[int, int]] = {}
        self._since: dict[str, float] = {}
        self._hearsay: dict[str, float] = {}
        self.suspects: dict[str, Case] = {}
        self._number = 0
        self._pinging = Pinging(agenda, health, out, options.answer)
        self._witnessing = Witnessing(agenda, health, out, self._pinging, options.answer)
        self._claims = Claims(agenda, out)
        self._handlers: dict[type, Any] = {
            Ping: self._ping,
            Ack: self._ack,
            PingReq: self._ask,
            PingReqReply: self._witness,
            StatusClaimAck: self._noted,
        }

    @property
    def held(self) -> dict[str, Condition | None]:
        """The members suspected now, and what is held of them (None: not judged yet)."""
        return {name: case.condition for name, case in self.suspects.items()}

    def take(self, now: float, event: object) -> None:
        """Takes an event; see the class."""
        if isinstance(event, Received):
            self._received(now, event)
        else:
            self._told(now, event)

    def _received(self, now: float, event: Received) -> None:
        electorate = self._electorate
        if electorate is None or event.source not in electorate.members:
            return
        handler = self._handlers.get(type(event.message))
        if handler is not None:
            handler(now, event.source, event.epoch, event.message)
        if event.source in self.suspects and not isinstance(event.message, Ack):
            self._sign_of_life(now, event.source, event.epoch)

    def _told(self, now: float, event: object) -> None:
        if isinstance(event, Looked):
            self._looked(now, event)
        elif isinstance(event, Refused):
            self._pinging.refused(now, event.target)
        elif isinstance(event, Missing):
            self._missing(now, event)
        elif isinstance(event, Holder):
            self._office = event
            self._claims.office(now, event.coordinator)
        elif isinstance(event, Strained):
            self._strained(now, event.late)
        elif isinstance(event, MemberView):
            self._change(now, event)

    # Watching

    def _change(self, now: float, electorate: MemberView) -> None:
        first, self._electorate = self._electorate is None, electorate
        members = electorate.members
        member = self._name in members  # a roster may lack us, before it knows us or when it has dropped us
        self._targets = electorate.watched(self._name, self._options.watched) if member else []
        excused = [name for name in self.suspects if name not in members or not members[name].expected]
        for name in excused if member else list(self.suspects):
            self.suspects.pop(name)
            self._claims.drop(name)
        concerned = {*self._targets, *self.suspects}
        self._known = {name: known for name, known in self._known.items() if name in concerned}
        self._since = {name: self._since.get(name, now) for name in concerned}
        self._hearsay = {name: until for name, until in self._hearsay.items() if name in members}
        if first:
            self._agenda.at(now + place(self._name) / 2**64 * self._options.interval, self._turn)

    def _turn(self, now: float) -> None:
        self._agenda.at(now + self._options.interval, self._turn)
        if self._targets:
            self._next = (self._next + 1) % len(self._targets)
            self._look_at(now, self._targets[self._next])

    def _look_at(self, now: float, name: str) -> None:
        case = self.suspects.get(name)
        if case is None:
            self._pinging.ping(now, name, self._missed)
        elif case.condition is not None:
            self._pinging.ping(now, name, self._still_missed, case.condition, case.turn)

    def _missing(self, now: float, event: Missing) -> None:
        if event.name not in self.suspects and self._electorate is not None:
            self._since.setdefault(event.name, now)
            self._known[event.name] = max(self._known.get(event.name, (0, 0)), (event.epoch, event.turn))
            self._pinging.ping(now, event.name, self._missed)

    def _missed(self, now: float, name: str, sent: float) -> None:
        member = self._electorate.members.get(name) if self._electorate else None
        if member is None or not member.expected or name in self.suspects or len(self.suspects) >= CASES:
            return
        if self._electorate is None or self._name not in self._electorate.members:
            return
        if self._hearsay.get(name, now) > now:
            return
        epoch, turn = self._known.get(name, (0, 0))
        if not epoch and now - self._since.get(name, now) < self._options.welcome:
            return
        case = self.suspects[name] = Case(sent, epoch or member.epoch, turn)
        self._round(now, name, case)

    def _still_missed(self, now: float, name: str, sent: float) -> None:
        """It is dead already, as far as we know."""

    def _strained(self, now: float, late: float) -> None:
        if not self._health.doubts:
            return
        self._health.worse(1 + int(late))
        self._pinging.forget()
        self._witnessing.forget()
        for name, case in self.suspects.items():
            if case.condition is None:
                self._round(now, name, case)

    # A case

    def _round(self, now: float, name: str, case: Case) -> None:
        self._number += 1
        case.begin(self._number)
        doubt = case.condition or Condition.SUSPECT
        self._pinging.ping(now, name, self._still_missed, doubt, case.turn)
        self._out.append(Look(case.number, name, self._options.answer))
        self._ask_others(now, name, case, case.number)
        for share, last in ((0.75, None), (1.0, False), (LOST, True)):
            at = now + share * self._options.refute * self._health.stretch
            if last is None:
                self._agenda.at(at, self._ask_more, name, case, case.number)
            else:
                self._agenda.at(at, self._judge, name, case, case.number, last)

    def _ask_more(self, now: float, name: str, case: Case, number: int) -> None:
        if self._current(name, case, number) and len(case.said) <= self._options.witnesses:
            self._ask_others(now, name, case, number)

    def _ask_others(self, now: float, name: str, case: Case, number: int) -> None:
        assert self._electorate is not None
        asked = case.witnesses(self._electorate, name, self._name, self.suspects)
        self._out += [Send(witness, PingReq(number, name)) for witness in asked]

    def _current(self, name: str, case: Case, number: int) -> bool:
        return self.suspects.get(name) is case and case.number == number

    def _looked(self, now: float, event: Looked) -> None:
        self._witnessing.looked(event.target, event.number, event.sight)
        case = self.suspects.get(event.target)
        if case is not None and case.number == event.number:
            self._hear(now, self._name, event.target, case, event.sight, self._health.weight)

    def _witness(self, now: float, source: str, epoch: int, said: PingReqReply) -> None:
        case = self.suspects.get(said.target)
        if case is None or case.number != said.number or source not in case.asked:
            return
        if said.sight is Reachability.AGENT:
            self._hearsay[said.target] = now + HEARSAY
            self._alive(now, said.target, case, said.epoch, said.turn)
        else:
            self._hear(now, source, said.target, case, said.sight, said.weight)

    def _hear(self, now: float, witness: str, name: str, case: Case, sight: Reachability, weight: float) -> None:
        assert self._electorate is not None
        zone = self._electorate.members[witness].zone
        case.said[witness] = ProbeReport(witness, zone, sight, weight)

    def _judge(self, now: float, name: str, case: Case, number: int, last: bool) -> None:
        if not self._current(name, case, number):
            return
        assert self._electorate is not None
        wanted = (self._options.witnesses, self._options.zones)
        found = verdict(case.said.values(), *case.needed(self._electorate, name, self._name, *wanted))
        if found is None:
            if last:
                self._undecided(now, name, case)
            return
        case.end()
        self._agenda.at(now + RECHECK, self._next_round, name, case)
        if found is not case.condition:
            case.condition = found
            silent = min(86_400.0, now - case.since)
            witnesses = seen(case.said.values(), WITNESSES)
            self._claims.put(now, StatusClaim(name, case.epoch, case.turn, found, silent, False, witnesses))
        else:
            self._claims.confirm(now, name)
        if name == self._office.coordinator and case.epoch >= self._office.epoch:
            self._out.append(Vacant(name, self._office.epoch))

    def _undecided(self, now: float, name: str, case: Case) -> None:
        if not any(witness != self._name for witness in case.said):
            self._health.worse()  # nobody answers us: that says more about us
        case.end()
        pause = min(RECHECK, case.round - 1) * self._health.stretch
        self._agenda.at(now + pause, self._next_round, name, case)

    def _next_round(self, now: float, name: str, case: Case) -> None:
        if self.suspects.get(name) is case and case.number == 0:
            self._round(now, name, case)

    def _sign_of_life(self, now: float, name: str, epoch: int) -> None:
        case = self.suspects[name]
        if case.condition is None:
            self._alive(now, name, case, epoch, case.turn)
        else:
            self._look_at(now, name)

    def _alive(self, now: float, name: str, case: Case, epoch: int, turn: int) -> None:
        """It answered us or a witness. One that was held for dead is back once it answers in a later incarnation, so
        that its next death is another one."""
        if epoch < case.epoch and now - case.since < OVERTAKEN:
            return
        if case.condition is not None:
            if epoch == case.epoch and turn <= case.turn:
                self._look_at(now, name)
                return
            self._claims.put(now, StatusClaim(name, epoch, turn, Condition.BACK))
        del self.suspects[name]
        if name in self._since:
            self._known[name] = (epoch, turn)

    # What others say

    def _ping(self, now: float, source: str, epoch: int, ping: Ping) -> None:
        if ping.doubt in (Condition.DEAD, Condition.GONE, Condition.FROZEN) and self.turn <= ping.turn < _MOST:
            self.turn = ping.turn + 1
        elif ping.doubt is Condition.SUSPECT:
            self._health.worse()
        self._out.append(Send(source, Ack(ping.number, self.turn)))

    def _ack(self, now: float, source: str, epoch: int, ack: Ack) -> None:
        if self._pinging.answered(source, ack.number):
            self._health.better()
        self._witnessing.answered(source, epoch, ack.turn)
        if source in self._since:
            self._known[source] = (epoch, ack.turn)
        case = self.suspects.get(source)
        if case is not None:
            self._alive(now, source, case, epoch, ack.turn)

    def _ask(self, now: float, source: str, epoch: int, ask: PingReq) -> None:
        assert self._electorate is not None
        if ask.target == self._name:
            self._out.append(Send(source, PingReqReply(ask.number, ask.target, Reachability.AGENT)))
        elif ask.target not in self._electorate.members:
            self._out.append(Send(source, PingReqReply(ask.number, ask.target, Reachability.UNABLE, 0.0)))
        else:
            self._number += 1
            self._witnessing.ask(now, source, ask.number, ask.target, self._number)

    def _noted(self, now: float, source: str, epoch: int, receipt: StatusClaimAck) -> None:
        self._claims.noted(source, receipt)
        case = self.suspects.get(receipt.member)
        later = case is not None and (receipt.epoch, receipt.turn) > (case.epoch, case.turn)
        if case is not None and later and receipt.what is Condition.BACK and source == self._office.coordinator:
            case.epoch, case.turn, case.condition = receipt.epoch, receipt.turn, None  # another death than we thought
            self._claims.drop(receipt.member)
            self._next_round(now, receipt.member, case)


_MOST = 2**62
"""No incarnation is higher: nobody refutes so often."""
