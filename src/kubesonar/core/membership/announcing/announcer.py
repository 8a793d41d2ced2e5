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

from kubesonar.core.membership.announcing.brake import Brake, look_dead, nodes_of
from kubesonar.core.membership.announcing.claim_book import ClaimBook
from kubesonar.core.membership.announcing.claim_intake import ClaimIntake
from kubesonar.core.membership.announcing.node_events import NodeEvents
from kubesonar.core.membership.announcing.renewals import RENEWAL, Renewals
from kubesonar.core.membership.announcing.siblings import ReadyClaims
from kubesonar.core.membership.announcing.transitions import NodeEvent
from kubesonar.core.membership.events import (
    Announce,
    Assembled,
    Delivered,
    Departed,
    Elected,
    FollowerHeard,
    HostProbed,
    Leased,
    Quorum,
    QuorumQuery,
    Received,
    ToSelf,
)
from kubesonar.core.membership.member_view import MemberView
from kubesonar.core.membership.messages import StatusClaim
from kubesonar.core.membership.notices import notice_id
from kubesonar.core.timers import TimedMachine, Timer
from kubesonar.model import Condition, Network, Seconds

RECHECK_INTERVAL = 0.5
"""Seconds after which claims that may not be announced yet are considered again."""

MANY = 3
"""Number of nodes with claims at once from which on the coordinator waits longer, to see how big the event is."""

CLAIM_PATIENCE = 4.0
"""Times as long as it then waits: claims about one event come in over about two seconds."""

REVIEW_INTERVAL = 2.0
"""Seconds between two looks whether members that were announced follow the coordinator again."""


class AnnouncingOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The conditions on which deaths are told."""

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
        self._intake = ClaimIntake(me, self._book, self._emit, self._claim_pending, self._left)
        self._events = NodeEvents(me, self._book, self._intake.sees, self._consider_at)
        self._brake = Brake(options.share, self._emit)
        self._renewals = Renewals()
        self._leads = False
        self._networks: frozenset[Network] = frozenset()
        self._elections = 0
        self._lease: bool | None = None
        self._timer: Timer | None = None
        self._timer_at = 0.0

    @property
    def conditions(self) -> dict[str, Condition]:
        """The last announcement about each member, BACK left out."""
        return {name: one.claim.what for name, one in self._book.open.items()}

    def open_claims(self, now: float) -> list[StatusClaim]:
        """The claims that were announced and have not ended."""
        return [
            replace(
                one.claim,
                silent=one.claim.silent + now - one.first,
                told=one.told,
                of_node=one.event.node != "",
            )
            for one in self._book.open.values()
        ]

    def _take(self, now: float, event: object) -> None:
        if isinstance(event, FollowerHeard):
            self._book.heard[event.member] = event
        elif isinstance(event, Received):
            if isinstance(event.message, StatusClaim) and self._leads:
                self._intake.claimed(now, event.source, event.message)
        elif isinstance(event, HostProbed):
            if self._leads and self._intake.looked(now, event):
                self._consider_at(now)
        elif isinstance(event, ToSelf):
            if isinstance(event.message, StatusClaim) and self._leads:
                self._intake.claimed(now, self._me, event.message)
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
            apart = {one.network for one in event.apart}
            self._networks -= apart
            self._book.forget(apart)
        elif isinstance(event, Departed):
            self._book.departed(event.members)
        elif isinstance(event, Delivered):
            self._book.delivered(event.id)

    def _elected(self, now: float, event: Elected) -> None:
        self._leads = event.mine
        self._elections += 1
        self._networks = frozenset()
        if event.mine:
            self._timers.at(now + REVIEW_INTERVAL, self._review, self._elections)
            self._timers.at(now + RENEWAL, self._renew, self._elections)
        for part in (self._book, self._intake, self._renewals, self._brake):
            part.clear()

    def _review(self, now: float, election: int) -> None:
        if self._elections == election:
            self._timers.at(now + REVIEW_INTERVAL, self._review, election)
            self._intake.review(now)

    # Announcing

    def _claim_pending(self, now: float) -> None:
        self._consider_at(now + self._settle)

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
        dead, of = look_dead(now, self._me, self._book, quorum)
        if self._brake.holds(now, quorum, dead, of) or self._lease is False or quorum.merging:
            self._consider_at(now + RECHECK_INTERVAL)
            return
        members = self._book.view.members
        pending = [one for name, one in self._book.pending.items() if members[name].network in quorum.networks]
        if len(pending) < len(self._book.pending):
            self._consider_at(now + RECHECK_INTERVAL)  # its network may be about to follow
        many = len(nodes_of(self._book.view, (one.claim.member for one in pending))) >= MANY
        settle = self._settle * (CLAIM_PATIENCE if many else 1.0)
        ready = {}
        for one in pending:
            if now - one.first < settle - 1e-6:
                self._consider_at(one.first + settle)
            elif self._intake.confirmed(now, one.claim):
                ready[one.claim.member] = one
            else:
                self._intake.look(now, one.claim.member)
                self._consider_at(now + RECHECK_INTERVAL)
        self._networks |= quorum.networks  # one that is lost for a moment is not apart
        for event in self._events.announce(ReadyClaims(now, ready, self._networks)):
            self._tell(now, self._announcement(now, event))

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
