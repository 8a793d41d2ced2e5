"""The announcer: a coordinator turns claims into announcements, once each, unless it has reason to doubt itself.

It announces only what others have confirmed and what it sees itself at that moment (`own_looks.py`), of a member that
is expected to serve and that it has not heard itself since, while a majority of its network follows it and the Lease
that guards it, where there is one, is not another's. What befalls all members of a node is one announcement
(`node_events.py`); when too many nodes look dead at once, the observer is the likelier suspect (`brake.py`).
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec.structs import replace

from kubesonar.core.membership.announcing.brake import Brake
from kubesonar.core.membership.announcing.claim_book import ClaimBook
from kubesonar.core.membership.announcing.contradictions import Contradictions
from kubesonar.core.membership.announcing.node_events import NodeEvents
from kubesonar.core.membership.announcing.own_looks import LOOK_TIMEOUT, OwnLooks
from kubesonar.core.membership.announcing.renewals import RENEWAL, Renewals
from kubesonar.core.membership.announcing.transitions import NodeEvent
from kubesonar.core.membership.events import (
    Announce,
    Assembled,
    Delivered,
    Departed,
    Elected,
    FollowerHeard,
    GaveWay,
    HostProbed,
    Leased,
    Quorum,
    QuorumQuery,
    Received,
    Send,
    ToSelf,
)
from kubesonar.core.membership.member_view import MemberView
from kubesonar.core.membership.messages import Ping, StatusClaim
from kubesonar.core.membership.notices import notice_id
from kubesonar.core.timers import TimedMachine, Timer
from kubesonar.model import Condition, Seconds

RECHECK_INTERVAL = 0.5
"""Seconds after which claims that may not be announced yet are considered again."""

MANY = 3
"""With claims about so many nodes at once the coordinator waits longer, to see how big the event is."""

CLAIM_PATIENCE = 4.0
"""How many times longer it then waits: claims about one event come in over about two seconds."""

OLD = 60.0
"""Seconds after which an announced member no longer counts among those that look dead at once: it is another event."""

REVIEW_INTERVAL = 2.0
"""Seconds between two looks whether members that were announced follow the coordinator again."""


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
    """A machine of the member `me`. In: `MemberView`, `Elected`, `Received` and `ToSelf` (StatusClaim),
    `FollowerHeard`, `HostProbed`, `Quorum`, `Leased`, `Delivered`, `Departed`, `Assembled`. Out: `Announce`,
    `RenewAlerts`, `Send`, `ProbeHost`, `QuorumQuery`, `GaveWay`, `Doubted` (SUSPECT, BACK)."""

    def __init__(self, me: str, options: AnnouncingOptions) -> None:
        super().__init__()
        self._me = me
        self._settle = options.settle
        self._book = ClaimBook(self._emit)
        self._looks = OwnLooks(self._emit)
        self._events = NodeEvents(me, self._book)
        self._brake = Brake(options.share, self._emit)
        self._renewals = Renewals()
        self._contradictions = Contradictions()
        self._leads = False
        self._elections = 0
        self._lease: bool | None = None
        self._timer: Timer | None = None
        self._timer_at = 0.0

    @property
    def conditions(self) -> dict[str, Condition]:
        """The last announcement about each member, BACK left out."""
        last = ((name, announced.claim.what) for name, announced in self._book.announced.items())
        return {name: what for name, what in last if not what.ends}

    def open_claims(self, now: float) -> list[StatusClaim]:
        """The claims that were announced and have not ended."""
        held = (one for one in self._book.announced.values() if not one.claim.what.ends)
        return [replace(one.claim, silent=one.claim.silent + now - one.first, told=one.told) for one in held]

    def _take(self, now: float, event: object) -> None:
        if isinstance(event, FollowerHeard):
            self._book.heard[event.member] = event
        elif isinstance(event, Received):
            if isinstance(event.message, StatusClaim):
                self._claimed(now, event.source, event.message)
        elif isinstance(event, HostProbed):
            self._looked(now, event)
        elif isinstance(event, ToSelf):
            if isinstance(event.message, StatusClaim):
                self._claimed(now, self._me, event.message)
        elif isinstance(event, Quorum):
            self._decide(now, event)
        elif isinstance(event, MemberView):
            gone = self._book.change(now, event)
            for left in self._events.left(gone) if self._leads else ():
                self._left(now, left)
        elif isinstance(event, Elected):
            self._elected(now, event)
        elif isinstance(event, Leased):
            self._lease = event.mine
        elif isinstance(event, Assembled):
            self._book.forget([apart.network for apart in event.apart])
        elif isinstance(event, Departed):
            self._book.took_leave = event.members
        elif isinstance(event, Delivered):
            self._book.delivered(event.id)

    def _elected(self, now: float, event: Elected) -> None:
        self._leads = event.mine
        self._elections += 1
        if event.mine:
            self._timers.at(now + REVIEW_INTERVAL, self._review, self._elections)
            self._timers.at(now + RENEWAL, self._renew, self._elections)
        for part in (self._book, self._looks, self._renewals, self._contradictions, self._brake):
            part.clear()

    # Claims

    def _claimed(self, now: float, source: str, claim: StatusClaim) -> None:
        members = self._book.view.members
        if not self._leads or (source and source not in members):
            return
        if claim.what is Condition.LEFT:
            left = self._book.take_left(now, source, claim)
            if left is not None:
                self._left(now, left.event)
        elif self._excused(claim):
            if source != self._me and self._contradictions.claimed(now, source, claim.member):
                self._emit(GaveWay(source))
        elif claim.member in members:
            self._take_claim(now, source, claim)

    def _take_claim(self, now: float, source: str, claim: StatusClaim) -> None:
        confirmed = self._confirmed(now, claim)
        if confirmed is not False and self._book.take(now, source, claim):
            self._consider_at(now + self._settle)
            if confirmed is None:
                self._looks.look(now, claim.member)

    def _excused(self, claim: StatusClaim) -> bool:
        """Whether this coordinator's roster excuses the silence that is claimed, or does not name the member; not where
        the member said itself that it leaves."""
        member = self._book.view.members.get(claim.member)
        excused = member is None or not member.expected
        return excused and not claim.what.ends and claim.member not in self._book.took_leave

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
            self._brake.release()

    def _decide(self, now: float, quorum: Quorum) -> None:
        dead, of = self._look_dead(now, quorum)
        if self._brake.holds(now, quorum, dead, of) or self._lease is False or quorum.merging:
            self._consider_at(now + RECHECK_INTERVAL)
            return
        members = self._book.view.members
        pending = [one for name, one in self._book.pending.items() if members[name].network in quorum.networks]
        if len(pending) < len(self._book.pending):
            self._consider_at(now + RECHECK_INTERVAL)  # its network may be about to follow
        many = len(self._nodes({one.claim.member for one in pending})) >= MANY
        settle = self._settle * (CLAIM_PATIENCE if many else 1.0)
        ready = {}
        for one in pending:
            if now - one.first < settle - 1e-6:
                self._consider_at(one.first + settle)
            elif self._confirmed(now, one.claim):
                ready[one.claim.member] = one
            else:
                self._looks.look(now, one.claim.member)
                self._consider_at(now + RECHECK_INTERVAL)
        for event in self._events.announce(now, ready, quorum.networks, self._consider_at):
            self._tell(now, self._announcement(now, event))

    def _look_dead(self, now: float, quorum: Quorum) -> tuple[set[str], int]:
        """The nodes that look dead at once, and of how many. A node whose members are all silent is one, not
        several."""
        book = self._book
        members = {name: one for name, one in book.view.members.items() if one.network in quorum.networks}
        looks = {name for name in quorum.unheard if name in members and members[name].expected}
        old = {name for name in self.conditions if now - book.announced[name].at > OLD and name in looks}
        claimed = {name: one for name, one in book.pending.items() if one.claim.what is not Condition.BACK}
        looks |= {  # not contradicted
            name for name, one in claimed.items() if now - one.first >= LOOK_TIMEOUT - 1e-6 and name in members
        }
        left = old | (book.took_leave - {self._me})
        serving = {name for name, member in members.items() if member.expected}
        return self._nodes(looks - left), len(self._nodes(serving - left))

    def _nodes(self, names: set[str]) -> set[str]:
        members = self._book.view.members
        return {members[name].node or name for name in names}

    def _left(self, now: float, event: NodeEvent) -> None:
        """Announce that members left of which something was announced. It needs no majority: rosters say so."""
        claim = event.claims[0]
        id = notice_id(event.node or claim.member, claim.epoch, Condition.LEFT, claim.incarnation)
        others = event.members[1:]
        left = Announce(id, claim.member, claim.epoch, claim.incarnation, Condition.LEFT, 0.0, (), others, event.node)
        self._tell(now, left)

    def _renew(self, now: float, election: int) -> None:
        if self._elections == election:
            self._timers.at(now + RENEWAL, self._renew, election)
            held = [self._announcement(now, event) for event in self._events.held()]
            self._emit(self._renewals.renew(now, held))

    def _announcement(self, now: float, event: NodeEvent) -> Announce:
        claim = event.claims[0]
        silent = claim.silent + now - self._book.announced[claim.member].first
        return Announce(
            event.id,
            claim.member,
            claim.epoch,
            claim.incarnation,
            claim.what,
            silent,
            claim.witnesses,
            event.members[1:],
            event.node,
            event.answering,
        )

    def _tell(self, now: float, announcement: Announce) -> None:
        self._renewals.announced(now, announcement)
        self._emit(announcement)
