"""The announcer: a coordinator turns claims into announcements, once each, unless it has reason to doubt itself.

It announces only what others have confirmed and what it sees itself at that moment (`own_looks.py`), of a member that
is expected to serve and that it has not heard itself since, while a majority follows it and the Lease that guards it,
where there is one, is not another's. When too many members look dead at once, the observer is the likelier suspect, and
that is all it says.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from kubesonar.core.membership.claim_book import ClaimBook
from kubesonar.core.membership.events import (
    Announce,
    Delivered,
    Doubted,
    Elected,
    FollowerHeard,
    HostProbed,
    Leased,
    Quorum,
    QuorumQuery,
    Received,
    RenewAlerts,
    Send,
    ToSelf,
)
from kubesonar.core.membership.member_view import MemberView
from kubesonar.core.membership.messages import Leave, Ping, StatusClaim, StepDown
from kubesonar.core.membership.notices import notice_id
from kubesonar.core.membership.own_looks import LOOK_TIMEOUT, OwnLooks
from kubesonar.core.membership.transitions import AnnouncedClaim, PendingClaim
from kubesonar.core.timers import TimedMachine, Timer
from kubesonar.model import Condition, Seconds

RECHECK_INTERVAL = 0.5
"""Seconds after which claims that may not be announced yet are considered again."""

MANY = 3
"""With so many claims at once the coordinator waits longer, to see how big the event is."""

CLAIM_PATIENCE = 4.0
"""How many times longer it then waits: claims about one event come in over about two seconds."""

LEAST_MANY = 3
"""Fewest nodes that look dead at once for the observer to be the suspect, whatever their share: of five nodes two may
well die of one cause. With more, an observer that is cut off from a few speaks of their death."""

OLD = 60.0
"""Seconds after which an announced member no longer counts among those that look dead at once: it is another event."""

MIN_TENURE = 3.0
"""Intervals after an election during which followers may be missing because a promise binds them to another."""

SOBER_PERIOD = 7.0
"""Seconds without announcements after self-suspicion, so that every open suspicion is checked again first."""

REVIEW_INTERVAL = 2.0
"""Seconds between two looks whether members that were announced follow the coordinator again."""


RENEWAL = 60.0
"""Seconds between two `RenewAlerts`. An Alertmanager forgets its alerts when it restarts: with more they are
missing for longer; less costs requests."""

RENEWED_END = 900.0
"""Seconds for which the end of what was announced is renewed, so that it reaches an Alertmanager that was away."""


MAX_ENDS = 1000
"""Most ends that are renewed: a bound on memory and on what is sent after a big event; the oldest go first."""


class AnnouncingOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is told, and when rather not."""

    settle: Annotated[
        Seconds, msgspec.Meta(ge=0, le=60, description="How long a claim waits, to see whether it is the only one.")
    ] = 0.5
    share: Annotated[
        float,
        msgspec.Meta(
            gt=0,
            le=1,
            description="If more of the nodes than this share, 3 at least, look dead at once, the observer is doubted.",
        ),
    ] = 0.3


class Announcer(TimedMachine):
    """A machine of the member `me`. In: `MemberView`, `Elected`, `Received` and `ToSelf` (StatusClaim, Leave,
    StepDown), `FollowerHeard`, `HostProbed`, `Quorum`, `Leased`, `Delivered`. Out: `Announce`, `RenewAlerts`,
    `Send`, `ProbeHost`, `QuorumQuery`, `Doubted` (SUSPECT, BACK)."""

    def __init__(self, me: str, options: AnnouncingOptions) -> None:
        super().__init__()
        self._me = me
        self._options = options
        self._book = ClaimBook(self._emit)
        self._looks = OwnLooks(self._emit)
        self._leads = False
        self._elections = 0
        self._ends: list[tuple[float, Announce]] = []
        self._lease: bool | None = None
        self._timer: Timer | None = None
        self._timer_at = 0.0
        self._doubted = False
        self._sober_from = float("-inf")

    @property
    def conditions(self) -> dict[str, Condition]:
        """The last announcement about each member, BACK left out."""
        last = ((name, announced.claim.what) for name, announced in self._book.announced.items())
        return {name: what for name, what in last if not what.ends}

    def _take(self, now: float, event: object) -> None:
        if isinstance(event, FollowerHeard):
            self._book.heard[event.member] = event
        elif isinstance(event, Received):
            self._received(now, event)
        elif isinstance(event, HostProbed):
            self._looked(now, event)
        elif isinstance(event, ToSelf):
            if isinstance(event.message, StatusClaim):
                self._claimed(now, self._me, event.message)
        elif isinstance(event, Quorum):
            self._decide(now, event)
        elif isinstance(event, MemberView):
            for one in self._book.change(now, event):
                self._left(now, one)
        elif isinstance(event, Elected):
            self._elected(now, event)
        elif isinstance(event, Leased):
            self._lease = event.mine
        elif isinstance(event, Delivered):
            self._book.delivered(event.id)

    def _elected(self, now: float, event: Elected) -> None:
        self._leads = event.mine
        self._elections += 1
        if event.mine:
            self._timers.at(now + REVIEW_INTERVAL, self._review, self._elections)
            self._timers.at(now + RENEWAL, self._renew, self._elections)
        self._book.clear()
        self._looks.clear()
        self._ends.clear()
        self._recover()
        self._sober_from = float("-inf")

    def _received(self, now: float, event: Received) -> None:
        message = event.message
        if event.source not in self._book.view.members:
            return
        if isinstance(message, Leave) or (isinstance(message, StepDown) and message.leaves):
            self._book.excuse(now, event.source, event.epoch)
        elif isinstance(message, StatusClaim):
            self._claimed(now, event.source, message)

    def _claimed(self, now: float, source: str, claim: StatusClaim) -> None:
        if claim.what is Condition.LEFT:
            left = self._book.take_left(now, source, claim) if self._leads else None
            if left is not None:
                self._left(now, left)
            return
        members = self._book.view.members
        known = claim.member in members and (not source or source in members)
        if not self._leads or not known or self._confirmed(now, claim) is False:
            return
        if self._book.take(now, source, claim):
            self._consider_at(now + self._options.settle)
            if self._confirmed(now, claim) is None:
                self._looks.look(now, claim.member)

    def _looked(self, now: float, event: HostProbed) -> None:
        """Take over an own look, and drop the claim that it contradicts."""
        if not self._leads or not self._looks.take(event):
            return
        pending = self._book.pending.get(event.target)
        if pending is None:
            return
        if self._confirmed(now, pending.claim) is False:
            del self._book.pending[event.target]
        self._consider_at(now)

    def _confirmed(self, now: float, claim: StatusClaim) -> bool | None:
        """Whether this coordinator sees itself what is claimed; None where it has not looked at this moment. One that
        follows it since it was announced is back."""
        heard, announced = self._book.heard.get(claim.member), self._book.announced.get(claim.member)
        if claim.what is Condition.BACK and heard is not None and (announced is None or heard.at > announced.at):
            return True
        return claim.member == self._me or self._looks.confirmed(now, claim.member, claim.what)

    def _review(self, now: float, election: int) -> None:
        """Announce that a member that follows again is back, also when all that could claim it are gone. One that has
        not heard yet what was announced of it is told, so that it answers in a later incarnation."""
        if self._elections != election:
            return
        self._timers.at(now + REVIEW_INTERVAL, self._review, election)
        for name, announced in list(self._book.announced.items()):
            claim, heard = announced.claim, self._book.heard.get(name)
            if claim.what is Condition.BACK or heard is None or heard.at <= announced.at:
                continue
            if heard.epoch != claim.epoch or heard.incarnation > claim.incarnation:
                self._claimed(now, "", StatusClaim(name, heard.epoch, heard.incarnation, Condition.BACK))
            else:
                self._emit(Send(name, Ping(0, claim.what, claim.incarnation)))

    def _left(self, now: float, announced: AnnouncedClaim) -> None:
        """Announce that a member left of which something was announced. It needs no majority: rosters say so."""
        if self._leads:
            claim = announced.claim
            id = notice_id(claim.member, claim.epoch, Condition.LEFT, claim.incarnation)
            self._tell(now, Announce(id, claim.member, claim.epoch, claim.incarnation, Condition.LEFT, 0.0, ()))

    def _renew(self, now: float, election: int) -> None:
        if self._elections != election:
            return
        self._timers.at(now + RENEWAL, self._renew, election)
        self._ends = [(at, end) for at, end in self._ends if now - at <= RENEWED_END]
        held = [one for one in self._book.announced.values() if not one.claim.what.ends]
        announced = [self._announcement(now, one) for one in held] + [end for _, end in self._ends]
        self._emit(RenewAlerts(tuple(announced)))

    # Announcing

    def _consider_at(self, when: float) -> None:
        """Consider all that is pending at that time; one timer serves them all."""
        if self._timer is not None and self._timer.act is not None:
            if self._timer_at <= when:
                return
            self._timer.cancel()
        self._timer, self._timer_at = self._timers.at(when, self._consider), when

    def _consider(self, now: float) -> None:
        self._timer = None
        self._book.drop_lapsed(now)
        if self._leads and self._book.pending:
            self._emit(QuorumQuery())  # goes on in _decide
        else:
            self._recover()

    def _decide(self, now: float, quorum: Quorum) -> None:
        if self._lease is False or self._doubtful(now, quorum) or now < self._sober_from:
            self._consider_at(now + RECHECK_INTERVAL)
            return
        pending = list(self._book.pending.values())
        settle = self._options.settle * (CLAIM_PATIENCE if len(pending) >= MANY else 1.0)
        for one in pending:
            if now - one.first < settle - 1e-6:
                self._consider_at(one.first + settle)
            elif self._confirmed(now, one.claim):
                self._announce(now, one)
            else:
                self._looks.look(now, one.claim.member)
                self._consider_at(now + RECHECK_INTERVAL)

    def _announce(self, now: float, pending: PendingClaim) -> None:
        announced = self._book.announce(now, pending)
        if announced is not None and not announced.told:
            self._tell(now, self._announcement(now, announced))

    def _announcement(self, now: float, announced: AnnouncedClaim) -> Announce:
        claim = announced.claim
        silent = claim.silent + now - announced.first
        return Announce(announced.id, claim.member, claim.epoch, claim.incarnation, claim.what, silent, claim.witnesses)

    def _tell(self, now: float, announcement: Announce) -> None:
        self._ends = [(at, end) for at, end in self._ends if end.member != announcement.member]
        if announcement.what.ends:
            self._ends.append((now, announcement))
            del self._ends[:-MAX_ENDS]
        self._emit(announcement)

    # Doubt

    def _doubtful(self, now: float, quorum: Quorum) -> bool:
        """Whether to doubt this coordinator's own view, or to wait because it was just elected and not all follow."""
        if not quorum.majority:
            if quorum.tenure > SOBER_PERIOD:
                self._sober_from = now + SOBER_PERIOD
            return True
        looks, of = self._look_dead(now, quorum)
        if looks < LEAST_MANY or looks <= self._options.share * of:
            self._recover()
            return False
        if quorum.tenure > MIN_TENURE * quorum.interval:
            self._sober_from = now + SOBER_PERIOD
            if not self._doubted:
                self._doubted = True
                self._emit(Doubted(Condition.SUSPECT, looks, of))
        return True

    def _look_dead(self, now: float, quorum: Quorum) -> tuple[int, int]:
        """How many of how many nodes look dead at once. A node whose members are all silent is one, not several."""
        view, book = self._book.view, self._book
        looks = {name for name in quorum.unheard if name in view.members and view.members[name].expected}
        old = {name for name in self.conditions if now - book.announced[name].at > OLD and name in looks}
        claimed = {name: one for name, one in book.pending.items() if one.claim.what is not Condition.BACK}
        looks |= {name for name, one in claimed.items() if now - one.first >= LOOK_TIMEOUT - 1e-6}  # not contradicted
        left = {name for name in book.excused(now) if name != self._me and view.members[name].expected}
        serving = {name for name, member in view.members.items() if member.expected}
        return len(self._nodes(looks - old - left)), len(self._nodes(serving - old - left))

    def _nodes(self, names: set[str]) -> set[str]:
        members = self._book.view.members
        return {members[name].node or name for name in names}

    def _recover(self) -> None:
        if self._doubted:
            self._doubted = False
            self._emit(Doubted(Condition.BACK, 0, 0))
