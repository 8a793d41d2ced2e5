"""What a coordinator holds of the members: claims that are pending, claims that were announced, and what speaks against
a claim."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from kubesonar.core.membership.announcing.transitions import AnnouncedClaim, PendingClaim, earlier, ends, known, same
from kubesonar.core.membership.events import FollowerHeard, Send
from kubesonar.core.membership.member_view import NO_MEMBERS, MemberView
from kubesonar.core.membership.messages import StatusClaim, StatusClaimAck
from kubesonar.model import Condition, Network

FRESH = 6.0
"""Seconds after which a claim that nobody repeats is dropped. A claim is repeated until it is acknowledged, which it is
when it is announced: with less, a lost repetition drops it; with more, a claim that was withdrawn is announced."""

SUSPECT_MARGIN = 0.5
"""A member that was heard less than this (s) after its silence is said to have begun may have died just then."""

DEPARTED = 90.0
"""Seconds for which a member that is on the roster no more may still be claimed to have left: longer than others keep
such a claim for a coordinator that is to be elected (`claim_queue.KEPT`)."""

FORGETFUL = 120.0
"""Seconds after the first roster in which this process may not know who left before it was started: longer than an
election and the time for which others keep such a claim. With more, invented members may be said to have left for
longer, by one that holds the key."""

MAX_DEPARTED = 10_000
"""Most members that are remembered after they left: a bound on memory, more than leave a cluster at once."""

SOURCES = 8
"""Most members that are told that their claim is delivered: a member has about three watchers."""


class ClaimBook:
    """Claims by member. `pending` are neither announced nor refused yet, `announced` those that were, here or by an
    earlier coordinator. `took_leave` are the members that said that they leave (`goodbyes.py`)."""

    def __init__(self, emit: Callable[[Any], None]) -> None:
        self.view = NO_MEMBERS
        self.pending: dict[str, PendingClaim] = {}
        self.announced: dict[str, AnnouncedClaim] = {}
        self.heard: dict[str, FollowerHeard] = {}
        self._emit = emit
        self.took_leave: frozenset[str] = frozenset()
        self._began = float("-inf")
        self._departed: dict[str, tuple[float, bool]] = {}
        self._host_answered: dict[str, float] = {}

    @property
    def open(self) -> dict[str, AnnouncedClaim]:
        """What was announced and has not ended, by member."""
        return {name: one for name, one in self.announced.items() if not one.claim.what.ends}

    def change(self, now: float, view: MemberView) -> list[AnnouncedClaim]:
        """Take over the members, and forget all others. Returns what was announced of members that are not there any
        more and has not ended otherwise."""
        for name in [name for name, (at, _) in self._departed.items() if now - at > DEPARTED or name in view.members]:
            del self._departed[name]
        open_claims = self.open
        for name in self.view.members.keys() - view.members.keys():
            self._departed[name] = now, name in open_claims
        if not self.view.members:
            self._began = now
        self.view = view
        tables: tuple[dict[str, Any], ...] = (
            self.pending, self.announced, self.heard, self._host_answered,
        )  # fmt: skip
        for table in tables:
            for name in [name for name in table if name not in view.members]:
                del table[name]
        return [one for name, one in open_claims.items() if name not in view.members]

    def clear(self) -> None:
        """Begin anew: the coordinator has changed."""
        for table in (self.pending, self.announced, self.heard):
            table.clear()

    def forget(self, networks: Collection[Network]) -> None:
        """Forget the claims about members of these networks: another coordinator speaks for them now, and they claim
        again what holds when this one does."""
        tables: tuple[dict[str, Any], ...] = (self.pending, self.announced)
        for table in tables:
            for name in [name for name in table if self.view.members[name].network in networks]:
                del table[name]

    def take_left(self, now: float, source: str, claim: StatusClaim) -> AnnouncedClaim | None:
        """Take over a claim that a member left, acknowledge it, and return what is to be announced: None while the
        member is on the roster, where its end was announced already, and where nothing was announced that could end.
        Of a member that this one never knew it is believed for a while after its start: it may have left before."""
        young = now - self._began <= FORGETFUL and len(self._departed) < MAX_DEPARTED
        departed, ended = self._departed.get(claim.member, (now if young else 0.0, not young))
        if claim.member in self.view.members or not departed:
            return None
        self.acknowledge(source, claim, True)
        self._departed[claim.member] = departed, True
        return None if ended or claim.ends.ends else AnnouncedClaim(claim, now, [], now)

    def drop_lapsed(self, now: float) -> None:
        """Drop the pending claims that nobody repeats."""
        for name in [name for name, pending in self.pending.items() if now - pending.last > FRESH]:
            del self.pending[name]

    def take(self, now: float, source: str, claim: StatusClaim) -> bool:
        """Take over a claim of `source` (empty: this coordinator's own), acknowledge it where it is settled, and return
        whether it is a new pending one."""
        announced = self.announced.get(claim.member)
        if announced is not None and known(announced.claim, claim):
            self._repeated(source, claim, announced)
            return False
        back = claim.what is Condition.BACK
        if announced is not None and back and now - claim.silent < announced.first - FRESH:
            self.acknowledge(source, announced.claim, announced.told)  # it was seen before it died, and claimed late
            return False
        if claim.what in (Condition.FROZEN, Condition.GONE):
            self._host_answered[claim.member] = now
        if not back and self._unlikely(now, claim):
            return False
        if back and (claim.told or not ends(claim, announced)):
            self.pending.pop(claim.member, None)
            self.announced[claim.member] = AnnouncedClaim(claim, now, [], now)
            self.acknowledge(source, claim, True)
            return False
        return self._pend(now, source, claim)

    def _repeated(self, source: str, claim: StatusClaim, announced: AnnouncedClaim) -> None:
        announced.told = announced.told or claim.told
        pending = self.pending.get(claim.member)
        if pending is not None and pending.claim.what is Condition.DEAD and claim.what is not Condition.DEAD:
            del self.pending[claim.member]  # its host answers after all
        returned = announced.claim.what is Condition.BACK
        self.acknowledge(source, announced.claim if returned else claim, announced.told)

    def _pend(self, now: float, source: str, claim: StatusClaim) -> bool:
        pending = self.pending.get(claim.member)
        fresh = pending is None or not same(pending.claim, claim)
        if pending is None or fresh:
            if pending is not None and earlier(claim, pending.claim):
                return False
            pending = self.pending[claim.member] = PendingClaim(claim, now)
        pending.last = now
        if claim.told:
            pending.claim = claim
        if source and source not in pending.sources and len(pending.sources) < SOURCES:
            pending.sources.append(source)
        return fresh

    def announce(self, now: float, pending: PendingClaim) -> AnnouncedClaim | None:
        """Turn a pending claim into an announced one; None where it does not stand any more."""
        claim = pending.claim
        del self.pending[claim.member]
        if claim.what is not Condition.BACK and (
            not self.view.members[claim.member].expected or self._unlikely(pending.first, claim)
        ):
            return None
        announced = self.announced[claim.member] = AnnouncedClaim(claim, now, pending.sources, pending.first)
        for source in pending.sources:
            self.acknowledge(source, claim, claim.told)
        return announced

    def delivered(self, id: str) -> None:
        """Tell those that made a claim that its announcement is delivered."""
        for announced in self.announced.values():
            if announced.id == id:
                announced.told = True
                for source in announced.sources:
                    self.acknowledge(source, announced.claim, True)

    def acknowledge(self, source: str, claim: StatusClaim, told: bool) -> None:
        """Acknowledge a claim to `source`, if it is a member."""
        if source:
            ack = StatusClaimAck(claim.member, claim.epoch, claim.incarnation, claim.what, told)
            self._emit(Send(source, ack))

    def _unlikely(self, now: float, claim: StatusClaim) -> bool:
        """Whether this coordinator heard the member after its silence began or in a later epoch, its host answers
        others, or it took its leave."""
        heard = self.heard.get(claim.member)
        if heard is not None and (heard.at > now - claim.silent + SUSPECT_MARGIN or 0 < claim.epoch < heard.epoch):
            return True
        answered = now - self._host_answered.get(claim.member, float("-inf")) <= FRESH
        return (answered and claim.what is Condition.DEAD) or claim.member in self.took_leave
