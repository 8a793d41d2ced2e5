"""The other members of a node: which of them share a claimed member's condition, and what was announced of them."""

from __future__ import annotations

from collections.abc import Callable, Container

import msgspec

from kubesonar.core.membership.announcing.claim_book import SUSPECT_MARGIN, ClaimBook
from kubesonar.core.membership.announcing.transitions import NodeEvent, PendingClaim
from kubesonar.model import Condition, Network

NODE_PATIENCE = 4.0
"""Seconds that a claim waits for what becomes of the other members of its node, of which nothing is known since. With
less, a dead node is announced once for each of its agents; with more, a lone death is announced later."""

LIKELY_PATIENCE = 8.0
"""The same where others of its node are claimed or seen to be in that condition too, but not both yet, as where
datagrams are lost."""

TOLD_PATIENCE = 10.0
"""The same for a claim that another coordinator announced: nobody waits for it."""

CLAIM_AGE = 0.5
"""Least age of a claim when it comes (s): its witnesses probed the member for so long. Who was heard before may have
fallen silent with it. With less, a node that dies is announced as one of its agents; with more, a lone death is
announced later."""


class ReadyClaims(msgspec.Struct, frozen=True):
    """The claims that could be announced at that time (`now`), by member. Of members of other than these `networks`
    nothing is known."""

    now: float
    claims: dict[str, PendingClaim]
    networks: Container[Network]

    def says(self, name: str, what: Condition) -> bool:
        """Return whether a claim that this is the condition of that member is ready."""
        return name in self.claims and self.claims[name].claim.what is what


class SiblingStates(msgspec.Struct, frozen=True):
    """The other expected members of a node: those that are claimed or were announced to be in the same condition
    (`ready` now, or `before`), those `answering`, and for how many seconds a claim waits for what becomes of the
    rest."""

    ready: tuple[str, ...]
    before: tuple[str, ...]
    answering: tuple[str, ...]
    patience: float
    others: int

    @property
    def all_silent(self) -> bool:
        """Whether there are others, and all of them are in the same condition."""
        return self.others > 0 and len(self.ready) + len(self.before) == self.others


class Siblings:
    """Answers what the `book` of the coordinator `me` holds of the other members of a node. `sees` is called with the
    time, a member and a condition, and returns whether the coordinator sees that itself."""

    def __init__(self, me: str, book: ClaimBook, sees: Callable[[float, str, Condition], bool]) -> None:
        self._me = me
        self._book = book
        self._sees = sees

    def states(self, name: str, ready: ReadyClaims) -> SiblingStates:
        """Return how the others stand to the claim about this member, which is pending."""
        book, now = self._book, ready.now
        members, pending = book.view.members, ready.claims[name]
        what = pending.claim.what
        silent_since = max(pending.first - pending.claim.silent + SUSPECT_MARGIN, pending.first - CLAIM_AGE)
        patience = 0.0
        same, before, answering = [], [], []
        others = self.others(name)
        for other in others:
            announced, heard = book.announced.get(other), book.heard.get(other)
            if ready.says(other, what):
                same.append(other)
            elif other not in book.pending and announced is not None and announced.claim.what is what:
                before.append(other)
            elif other == self._me or (other not in book.pending and heard is not None and heard.at > silent_since):
                answering.append(other)
            elif members[other].network in ready.networks:
                claimed = other in book.pending and book.pending[other].claim.what is what
                if claimed or (other not in book.pending and self._sees(now, other, what)):
                    pending.joined = True
                patience = LIKELY_PATIENCE if pending.joined else NODE_PATIENCE
        if patience and pending.claim.told:
            patience = TOLD_PATIENCE
        return SiblingStates(tuple(same), tuple(before), tuple(answering), patience, len(others))

    def others(self, name: str) -> list[str]:
        """Return the other members of a member's node that are expected to answer."""
        view, took_leave = self._book.view, self._book.took_leave
        return [
            other
            for other in view.nodes.get(view.members[name].node, ())
            if other != name and view.members[other].expected and other not in took_leave
        ]

    def fell_with(self, name: str, networks: Container[Network]) -> list[str]:
        """Return the others that a coordinator before announced with this member, as of the whole node, and of which
        this one does not know that it ended."""
        book, node = self._book, self._book.view.members[name].node
        return [
            other
            for other in self.others(name)
            if book.view.members[other].network in networks
            and (other not in book.pending or book.pending[other].claim.of_node)
            and (other not in book.announced or ((event := self.open_event(other)) is not None and event.node == node))
        ]

    def told_back(self, name: str) -> tuple[str, ...]:
        """Return the others whose return was announced as that of the node."""
        announced, node = self._book.announced, self._book.view.members[name].node
        return tuple(
            other
            for other in self.others(name)
            if other in announced
            and announced[other].claim.what is Condition.BACK
            and announced[other].event.node == node
        )

    def open_event(self, name: str) -> NodeEvent | None:
        """Return the event of which the announced condition of a member is part; None where none is or it has ended."""
        announced = self._book.announced.get(name)
        return announced.event if announced is not None and not announced.claim.what.ends else None

    def open_of(self, event: NodeEvent, without: tuple[str, ...] = ()) -> list[str]:
        """Return the members of an event, or of its whole node, without these, of which it has not ended."""
        found = {name: self.open_event(name) for name in self._book.announced if name not in without}
        return [
            name
            for name, one in found.items()
            if one is not None and (one is event or (event.node and one.node == event.node))
        ]
