"""Takes in the claims that come to a coordinator: whose roster is wrong, who left, and what it sees itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kubesonar.core.membership.announcing.claim_book import ClaimBook
from kubesonar.core.membership.announcing.contradictions import Contradictions
from kubesonar.core.membership.announcing.own_looks import OwnLooks
from kubesonar.core.membership.announcing.transitions import NodeEvent
from kubesonar.core.membership.events import GaveWay, HostProbed, Send
from kubesonar.core.membership.messages import Ping, StatusClaim
from kubesonar.model import Condition


class ClaimIntake:
    """Takes claims over into the `book` of the coordinator `me`. `pending` is called with the time when a claim is new,
    `left` with the time and what ends, where a member left of which something was announced."""

    def __init__(
        self,
        me: str,
        book: ClaimBook,
        emit: Callable[[Any], None],
        pending: Callable[[float], None],
        left: Callable[[float, NodeEvent], None],
    ) -> None:
        self._me = me
        self._book = book
        self._emit = emit
        self._pending = pending
        self._left = left
        self._looks = OwnLooks(emit)
        self._contradictions = Contradictions()

    def clear(self) -> None:
        """Begin anew: the coordinator has changed."""
        self._looks.clear()
        self._contradictions.clear()

    def claimed(self, now: float, source: str, claim: StatusClaim) -> None:
        """Take over a claim of `source` (empty: what the coordinator concluded itself)."""
        members = self._book.view.members
        if source and source not in members:
            return
        if claim.what is Condition.LEFT:
            left = self._book.take_left(now, source, claim)
            if left is not None:
                self._left(now, left.event)
        elif self._excused(claim):
            if source != self._me and self._contradictions.claimed(now, source, claim.member):
                self._emit(GaveWay(source))
        elif claim.member in members:
            self._take(now, source, claim)

    def _take(self, now: float, source: str, claim: StatusClaim) -> None:
        confirmed = self.confirmed(now, claim)
        if confirmed is not False and self._book.take(now, source, claim):
            self._pending(now)
            if confirmed is None:
                self._looks.look(now, claim.member)

    def _excused(self, claim: StatusClaim) -> bool:
        """Whether this coordinator's roster excuses the silence that is claimed, or does not name the member; not where
        the member said itself that it leaves."""
        member = self._book.view.members.get(claim.member)
        excused = member is None or not member.expected
        return excused and not claim.what.ends and claim.member not in self._book.took_leave

    def looked(self, now: float, event: HostProbed) -> bool:
        """Take over an own look, and drop the claim that it contradicts; return whether it was about a claim."""
        pending = self._book.pending.get(event.target) if self._looks.take(event) else None
        if pending is not None and self.confirmed(now, pending.claim) is False:
            del self._book.pending[event.target]
        return pending is not None

    def look(self, now: float, name: str) -> None:
        """Look at a member, unless that was done at this moment."""
        self._looks.look(now, name)

    def sees(self, now: float, name: str, what: Condition) -> bool:
        """Look at a member, unless that was done at this moment; return whether a look of this moment agrees that this
        is its condition."""
        self._looks.look(now, name)
        return self._looks.confirmed(now, name, what) is True

    def confirmed(self, now: float, claim: StatusClaim) -> bool | None:
        """Whether this coordinator sees itself what is claimed; None where it has not looked at this moment. One that
        follows it since it was announced is back."""
        heard, announced = self._book.heard.get(claim.member), self._book.announced.get(claim.member)
        if claim.what is Condition.BACK and heard is not None and (announced is None or heard.at > announced.at):
            return True
        return claim.member == self._me or self._looks.confirmed(now, claim.member, claim.what)

    def review(self, now: float) -> None:
        """Claim that a member that follows again is back, also when all that could claim it are gone. One that has not
        heard yet what was announced of it is told, so that it answers in a later incarnation."""
        self._book.repeat_told()
        for name, announced in list(self._book.announced.items()):
            claim, heard = announced.claim, self._book.heard.get(name)
            if claim.what is Condition.BACK or heard is None or heard.at <= announced.at:
                continue
            if heard.epoch != claim.epoch or heard.incarnation > claim.incarnation:
                self.claimed(now, "", StatusClaim(name, heard.epoch, heard.incarnation, Condition.BACK))
            else:
                self._emit(Send(name, Ping(0, claim.what, claim.incarnation)))
