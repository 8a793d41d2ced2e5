"""What the coordinator tells the world: claims become announcements, once each, unless it has reason to doubt itself.

Announced is only what others have confirmed, of a member that is expected to serve, that the coordinator itself has
not heard since, while a majority follows it and the guard's Lease, where there is one, is not somebody else's. When
too many look dead at once, the observer is the likelier suspect, and that is all it says.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from kubesonar.core.membership.election.leader import Leadership
from kubesonar.core.membership.events import Announce, Doubted, Leased, Received, Send, Told
from kubesonar.core.membership.member_view import MemberView
from kubesonar.core.membership.messages import Leave, Ping, StatusClaim, StatusClaimAck, StepDown
from kubesonar.core.membership.transitions import Done, Pending, earlier, ends, known, same
from kubesonar.core.timers import Timed, Timer, Timers
from kubesonar.model import Condition, Seconds

RECHECK_INTERVAL = 0.5
"""What may not be told yet is considered again after this long (s)."""

MANY = 3
"""So many at once look like something bigger: the coordinator waits longer to see how big it is."""

CLAIM_PATIENCE = 4.0
"""How many times longer."""

OLD = 60.0
"""A member that was announced so long ago (s) no longer counts among those that look dead at once."""

FRESH = 6.0
"""A claim that nobody has repeated for so long (s) is no longer made: its receipt comes when it is announced, and until
then it is repeated."""

SUSPECT_MARGIN = 0.5
"""A member that was heard less than this after its silence is said to have begun (s) may have died just then."""

EXCUSED = 600.0
"""How long the silence of a member that took its leave is no death (s), unless it began anew since: longer than a
roster needs to leave it out, which in big clusters takes minutes (docs/kubernetes.md)."""

MIN_TENURE = 3.0
"""For so many intervals after an election it is no wonder that some do not follow yet: a promise may bind them."""

SOBER = 7.0
"""After it had reason to doubt itself, the coordinator says nothing for so long (s): as long as it takes until every
open case has been looked into once more."""

REVIEW = 2.0
"""How often the coordinator looks whether those that it holds for dead follow it (s)."""

SOURCES = 8
"""Most members that are told that their claim was told."""


class AnnouncingOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is told, and when rather not."""

    settle: Annotated[
        Seconds, msgspec.Meta(ge=0, le=60, description="How long a claim waits, to see whether it is the only one.")
    ] = 0.5
    share: Annotated[
        float,
        msgspec.Meta(gt=0, le=1, description="If more than this share looks dead at once, the observer is suspected."),
    ] = 0.3


class Announcing(Timed):
    """A machine. In: `MemberView`, `Received` (Claim, Leave, Resign), `Leased`, `Told`; `hold` gives and takes the
    office. Out: `Announce`, `Send` (Noted), `Doubted` (SUSPECT, BACK)."""

    def __init__(self, options: AnnouncingOptions, agenda: Timers, out: list[Any]) -> None:
        super().__init__(agenda, out)
        self._options = options
        self._electorate: MemberView | None = None
        self._office: Leadership | None = None
        self._lease: bool | None = None
        self._pending: dict[str, Pending] = {}
        self._done: dict[str, Done] = {}
        self._excused: dict[str, tuple[float, int]] = {}
        self._answered: dict[str, float] = {}
        self._timer: Timer | None = None
        self._timer_at = 0.0
        self._doubted = False
        self._sober_from = float("-inf")

    def take(self, now: float, event: object) -> None:
        """Takes an event; see the class."""
        if isinstance(event, Received):
            self._received(now, event)
        elif isinstance(event, MemberView):
            self._change(event)
        elif isinstance(event, Leased):
            self._lease = event.mine
        elif isinstance(event, Told):
            self._was_told(event.id)

    def hold(self, now: float, office: Leadership | None) -> None:
        """The office that this member holds, None when it holds it no more."""
        if office is not None:
            self._agenda.at(now + REVIEW, self._review, office)
        self._office = office
        self._pending.clear()
        self._done.clear()
        self._recover()
        self._sober_from = float("-inf")

    @property
    def conditions(self) -> dict[str, Condition]:
        """What was announced last of each member, BACK left out."""
        return {name: done.claim.what for name, done in self._done.items() if done.claim.what is not Condition.BACK}

    def _change(self, electorate: MemberView) -> None:
        self._electorate = electorate
        for table in (self._pending, self._done, self._excused, self._answered):
            for name in [name for name in table if name not in electorate.members]:
                del table[name]

    # Claims

    def _received(self, now: float, event: Received) -> None:
        message, members = event.message, self._electorate.members if self._electorate is not None else {}
        if event.source not in members:
            return
        if isinstance(message, Leave) or (isinstance(message, StepDown) and message.leaves):
            self._excused[event.source] = now + EXCUSED, event.epoch
        elif self._office is not None and isinstance(message, StatusClaim) and message.member in members:
            self._claim(now, event.source, message)

    def _claim(self, now: float, source: str, claim: StatusClaim) -> None:
        done = self._done.get(claim.member)
        if done is not None and known(done.claim, claim):
            done.told = done.told or claim.told
            pending = self._pending.get(claim.member)
            if pending is not None and pending.claim.what is Condition.DEAD and claim.what is not Condition.DEAD:
                del self._pending[claim.member]  # its host answers after all
            returned = done.claim.what is Condition.BACK
            self._note(source, done.claim if returned else claim, done.told)
            return
        if done is not None and claim.what is Condition.BACK and now - claim.silent < done.first - FRESH:
            self._note(source, done.claim, done.told)  # it was seen before it died: the claim waited for a coordinator
            return
        if claim.what in (Condition.FROZEN, Condition.GONE):
            self._answered[claim.member] = now
        if claim.what is not Condition.BACK and self._unlikely(now, claim):
            return
        if claim.told or (claim.what is Condition.BACK and not ends(claim, done)):
            self._pending.pop(claim.member, None)
            self._done[claim.member] = Done(claim, now, [], now)
            self._note(source, claim, True)
            return
        pending = self._pending.get(claim.member)
        if pending is None or not same(pending.claim, claim):
            if pending is not None and earlier(claim, pending.claim):
                return
            pending = self._pending[claim.member] = Pending(claim, now)
            self._consider_at(now + self._options.settle)
        pending.last = now
        if source and source not in pending.sources and len(pending.sources) < SOURCES:
            pending.sources.append(source)

    def _note(self, source: str, claim: StatusClaim, told: bool) -> None:
        if source:
            self._out.append(Send(source, StatusClaimAck(claim.member, claim.epoch, claim.turn, claim.what, told)))

    def _unlikely(self, now: float, claim: StatusClaim) -> bool:
        """Whether the member was heard here after the silence began, its host answers others, or it took its leave."""
        assert self._office is not None
        follower = self._office.followers.get(claim.member)
        if follower is not None and (
            follower.acked > now - claim.silent + SUSPECT_MARGIN or 0 < claim.epoch < follower.epoch
        ):
            return True
        kernel = now - self._answered.get(claim.member, float("-inf")) <= FRESH
        return (kernel and claim.what is Condition.DEAD) or self._has_left(now, claim.member, claim.epoch)

    def _has_left(self, now: float, name: str, epoch: int) -> bool:
        until, last = self._excused.get(name, (now, 0))
        return until > now and epoch <= last

    def _was_told(self, id: str) -> None:
        for done in self._done.values():
            if done.id == id:
                done.told = True
                for source in done.sources:
                    self._note(source, done.claim, True)

    def _review(self, now: float, office: Leadership) -> None:
        """Who follows again is back, also when all that could claim it are gone. One that has not yet heard what was
        held of it is told, so that it answers in a later incarnation."""
        if self._office is not office:
            return
        self._agenda.at(now + REVIEW, self._review, office)
        for name, done in list(self._done.items()):
            follower = office.followers.get(name)
            if done.claim.what is Condition.BACK or follower is None or follower.acked <= done.at:
                continue
            if follower.epoch != done.claim.epoch or follower.turn > done.claim.turn:
                self._claim(now, "", StatusClaim(name, follower.epoch, follower.turn, Condition.BACK))
            else:
                self._out.append(Send(name, Ping(0, done.claim.what, done.claim.turn)))

    # Telling

    def _consider_at(self, when: float) -> None:
        """One timer serves all that is pending."""
        if self._timer is not None and self._timer.act is not None:
            if self._timer_at <= when:
                return
            self._timer.cancel()
        self._timer, self._timer_at = self._agenda.at(when, self._consider), when

    def _consider(self, now: float) -> None:
        self._timer = None
        for name in [name for name, pending in self._pending.items() if now - pending.last > FRESH]:
            del self._pending[name]
        if self._office is None or not self._pending:
            self._recover()
            return
        if self._lease is False or self._doubtful(now, self._office) or now < self._sober_from:
            self._consider_at(now + RECHECK_INTERVAL)
            return
        settle = self._options.settle * (CLAIM_PATIENCE if len(self._pending) >= MANY else 1.0)
        for name, pending in list(self._pending.items()):
            if now - pending.first < settle - 1e-6:
                self._consider_at(pending.first + settle)
                continue
            del self._pending[name]
            if self._stands_up(pending):
                self._announce(now, pending)

    def _doubtful(self, now: float, office: Leadership) -> bool:
        """Whether there is reason to doubt ourselves, or to wait: that not all follow yet who was just elected."""
        if not office.majority(now):
            if now - office.since > SOBER:
                self._sober_from = now + SOBER
            return True
        looks, of = self._look_dead(now, office)
        if looks <= max(1.0, self._options.share * of):
            self._recover()
            return False
        if now - office.since > MIN_TENURE * office.interval:
            self._sober_from = now + SOBER
            if not self._doubted:
                self._doubted = True
                self._out.append(Doubted(Condition.SUSPECT, looks, of))
        return True

    def _stands_up(self, pending: Pending) -> bool:
        claim = pending.claim
        assert self._electorate is not None
        if claim.what is Condition.BACK:
            return True
        return self._electorate.members[claim.member].expected and not self._unlikely(pending.first, claim)

    def _announce(self, now: float, pending: Pending) -> None:
        claim = pending.claim
        done = self._done[claim.member] = Done(claim, now, pending.sources, pending.first)
        for source in pending.sources:
            self._note(source, claim, False)
        silent = claim.silent + now - pending.first
        self._out.append(Announce(done.id, claim.member, claim.epoch, claim.turn, claim.what, silent, claim.witnesses))

    def _look_dead(self, now: float, office: Leadership) -> tuple[int, int]:
        """How many of how many members look dead at once."""
        assert self._electorate is not None
        members = self._electorate.members
        looks = {name for name in office.unheard(now) if members[name].expected}
        old = {
            name
            for name, done in self._done.items()
            if done.claim.what is not Condition.BACK and now - done.at > OLD and name in looks
        }
        looks |= {name for name, pending in self._pending.items() if pending.claim.what is not Condition.BACK}
        excused = {
            name
            for name, follower in office.followers.items()
            if name in self._excused and members[name].expected and self._has_left(now, name, follower.epoch)
        }
        looks -= old | excused
        of = self._electorate.serving - len(old | excused)
        return len(looks), of

    def _recover(self) -> None:
        if self._doubted:
            self._doubted = False
            self._out.append(Doubted(Condition.BACK, 0, 0))
