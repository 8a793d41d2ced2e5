"""Keeps what a coordinator holds of the members: claims that are pending, claims that were announced, and what speaks
against a claim."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from kubesonar.core.membership.announcing.transitions import AnnouncedClaim, PendingClaim, earlier, ends, known, same
from kubesonar.core.membership.events import FollowerHeard, Send
from kubesonar.core.membership.member_view import NO_MEMBERS, MemberView, identity_parts
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


class _Departed(NamedTuple):
    """A member that left the roster: when, whether all that was announced of it has `ended`, and its node."""

    at: float
    ended: bool
    node: str


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
        self._departed: dict[str, _Departed] = {}
        self._left_nodes: dict[str, float] = {}
        self._told: list[AnnouncedClaim] = []
        self._host_answered: dict[str, float] = {}

    @property
    def open(self) -> dict[str, AnnouncedClaim]:
        """The claims that were announced and have not ended, by member."""
        return {name: one for name, one in self.announced.items() if not one.claim.what.ends}

    def change(self, now: float, view: MemberView) -> list[AnnouncedClaim]:
        """Take over the members, and forget all others. Returns what was announced of members that are not there any
        more and has not ended otherwise."""
        for name in [name for name, one in self._departed.items() if now - one.at > DEPARTED or name in view.members]:
            del self._departed[name]
        for node in [node for node, at in self._left_nodes.items() if now - at > DEPARTED or node in view.nodes]:
            del self._left_nodes[node]
        open_claims = self.open
        for name in self.view.members.keys() - view.members.keys():
            self._departed[name] = _Departed(now, name in open_claims, self.view.members[name].node)
        if not self.view.members:
            self._began = now
        self.view = view
        tables: tuple[dict[str, Any], ...] = (
            self.pending, self.announced, self.heard, self._host_answered,
        )  # fmt: skip
        for table in tables:
            for name in [name for name in table if name not in view.members]:
                del table[name]
        gone = [one for name, one in open_claims.items() if name not in view.members]
        nodes = {one.event.node for one in gone} - view.nodes.keys()
        self._left_nodes.update(dict.fromkeys(nodes, now))
        return gone

    def departed(self, members: frozenset[str]) -> None:
        """Take note of all members that said that they leave."""
        self.took_leave = members

    def clear(self) -> None:
        """Begin anew: the coordinator has changed."""
        for table in (self.pending, self.announced, self.heard, self._told):
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
        departed = self._departed.get(claim.member)
        if departed is None and now - self._began <= FORGETFUL and len(self._departed) < MAX_DEPARTED:
            departed = _Departed(now, False, identity_parts(claim.member)[0])
        if claim.member in self.view.members or departed is None:
            return None
        self.acknowledge(source, claim, True)
        node = departed.node if claim.of_node else ""
        ended = departed.ended or claim.ends.ends or node in self._left_nodes
        self._departed[claim.member] = departed._replace(ended=True)
        if node and not ended:
            self._left_nodes[node] = now
        return None if ended else AnnouncedClaim(claim, now, [], now, node)

    def drop_lapsed(self, now: float) -> None:
        """Drop the pending claims that nobody repeats."""
        for name in [name for name, pending in self.pending.items() if now - pending.last > FRESH]:
            del self.pending[name]

    def take(self, now: float, source: str, claim: StatusClaim) -> bool:
        """Take over a claim of `source` (empty: this coordinator's own), acknowledge it where it is settled, and return
        whether it is a new pending one."""
        announced = self.announced.get(claim.member)
        back = claim.what is Condition.BACK
        unknown_end = announced is not None and announced.quiet and back and ends(claim, announced)
        if announced is not None and known(announced.claim, claim) and not unknown_end:
            self._repeated(source, claim, announced)
            return False
        if announced is not None and back and now - claim.silent < announced.first - FRESH:
            self._acknowledge_again(source, announced.claim, announced)  # seen before it died, and claimed late
            return False
        if claim.what in (Condition.FROZEN, Condition.GONE):
            self._host_answered[claim.member] = now
        if not back and self._unlikely(now, claim):
            return False
        if back and (claim.told or not ends(claim, announced)):
            self.pending.pop(claim.member, None)
            node = self.view.members[claim.member].node if claim.told and claim.of_node else ""
            quiet = not claim.told and (announced is None or announced.quiet)
            self.announced[claim.member] = AnnouncedClaim(claim, now, [], now, node, quiet=quiet)
            self.acknowledge(source, claim, True, claim.of_node)
            return False
        return self._pend(now, source, claim)

    def _repeated(self, source: str, claim: StatusClaim, announced: AnnouncedClaim) -> None:
        announced.told = announced.told or claim.told
        pending = self.pending.get(claim.member)
        if pending is not None and pending.claim.what is Condition.DEAD and claim.what is not Condition.DEAD:
            del self.pending[claim.member]  # its host answers after all
        if source and source not in announced.sources and len(announced.sources) < SOURCES:
            announced.sources.append(source)
        returned = announced.claim.what is Condition.BACK
        self._acknowledge_again(source, announced.claim if returned else claim, announced)

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
        """Turn a pending claim into an announced one; None where it does not stand any more. Its witnesses are to hear
        of it as those that made it do, so that the next coordinator hears it of someone, whoever dies with this one."""
        claim = pending.claim
        del self.pending[claim.member]
        if claim.what is not Condition.BACK and (
            not self.view.members[claim.member].expected or self._unlikely(pending.first, claim)
        ):
            return None
        sources = dict.fromkeys((*pending.sources, *(seen.name for seen in claim.witnesses)))
        known_by = [name for name in sources if name in self.view.members]
        announced = AnnouncedClaim(claim, now, known_by, pending.first)
        self.announced[claim.member] = announced
        return announced

    def delivered(self, id: str) -> None:
        """Tell those that made a claim that its announcement is delivered."""
        for announced in self.announced.values():
            if announced.id == id:
                announced.told = True
                self.acknowledge_sources(announced)
                self._told.append(announced)

    def repeat_told(self) -> None:
        """Tell those once more whose claim's announcement was delivered since this was called last: a datagram may have
        been lost, and they would have the next coordinator announce it again."""
        told, self._told = self._told, []
        for announced in told:
            self.acknowledge_sources(announced)

    def acknowledge_sources(self, announced: AnnouncedClaim) -> None:
        """Tell those that made a claim as what it was announced, and whether that is delivered."""
        for source in announced.sources:
            self._acknowledge_again(source, announced.claim, announced)

    def _acknowledge_again(self, source: str, claim: StatusClaim, announced: AnnouncedClaim) -> None:
        self.acknowledge(source, claim, announced.told, announced.event.node != "")

    def acknowledge(self, source: str, claim: StatusClaim, told: bool, of_node: bool = False) -> None:
        """Acknowledge a claim to `source`, if it is a member."""
        if source:
            ack = StatusClaimAck(claim.member, claim.epoch, claim.incarnation, claim.what, told, of_node)
            self._emit(Send(source, ack))

    def _unlikely(self, now: float, claim: StatusClaim) -> bool:
        """Whether this coordinator heard the member after its silence began or in a later epoch, its host answers
        others, or it took its leave."""
        heard = self.heard.get(claim.member)
        if heard is not None and (heard.at > now - claim.silent + SUSPECT_MARGIN or 0 < claim.epoch < heard.epoch):
            return True
        answered = now - self._host_answered.get(claim.member, float("-inf")) <= FRESH
        return (answered and claim.what is Condition.DEAD) or claim.member in self.took_leave
