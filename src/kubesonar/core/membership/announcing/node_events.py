"""One event, one announcement: what befalls all members of a node at once is announced of the node."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator

import msgspec

from kubesonar.core.membership.announcing.claim_book import SUSPECT_MARGIN, ClaimBook
from kubesonar.core.membership.announcing.transitions import AnnouncedClaim, NodeEvent, PendingClaim
from kubesonar.model import Condition, Network

NODE_PATIENCE = 4.0
"""Seconds that a claim waits for what becomes of the other members of its node, of which nothing is known since. With
less, a dead node is announced once for each of its agents; with more, a lone death is announced later."""

LIKELY_PATIENCE = 8.0
"""The same where others of its node are claimed or seen to be in that condition too, but not both yet, as where
datagrams are lost."""

TOLD_PATIENCE = 10.0
"""The same for a claim that another coordinator announced: nobody waits for it."""

RETURN_PATIENCE = 10.0
"""Seconds that the return of one member waits for that of the others that fell silent with it. With less, a node that
comes back is announced several times; with more, it is late that its other member is still silent."""


CLAIM_AGE = 0.5
"""Least age of a claim when it comes (s): its witnesses probed the member for so long. Who was heard before may have
fallen silent with it. With less, a node that dies is announced as one of its agents; with more, a lone death is
announced later."""

RETRY = 0.5
"""Seconds after which what waits is looked at again: less costs work, more delays announcements."""


class _Siblings(msgspec.Struct, frozen=True):
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
        return self.others > 0 and len(self.ready) + len(self.before) == self.others


class NodeEvents:
    """Joins the claims in the `book` of the coordinator `me` to events. `sees` is called with the time, a member and a
    condition, and returns whether the coordinator sees that itself."""

    def __init__(self, me: str, book: ClaimBook, sees: Callable[[float, str, Condition], bool]) -> None:
        self._me = me
        self._book = book
        self._sees = sees

    def announce(
        self,
        now: float,
        ready: dict[str, PendingClaim],
        networks: Container[Network],
        wait: Callable[[float], None],
    ) -> Iterator[NodeEvent]:
        """Turn the claims that are `ready`, by member, into announced ones, and yield the events that are to be told;
        call `wait` with the time at which to try again for the rest. Of members of other than these networks nothing is
        known."""
        for name in sorted(ready):
            if name not in self._book.pending:
                continue  # it was part of an event before
            if ready[name].claim.what is Condition.BACK:
                yield from self._returned(now, name, ready, networks, wait)
            else:
                yield from self._befell(now, name, ready, networks, wait)

    def left(self, gone: Iterable[AnnouncedClaim]) -> Iterator[NodeEvent]:
        """Yield the events that end because their last members left the roster."""
        for event in {one.event.node or one.event: one.event for one in gone}.values():
            rest = self._open(event, ())
            if rest:
                self._continue(rest, event.node, event.answering)
            else:
                yield event

    def held(self) -> Iterator[NodeEvent]:
        """Yield the events that have not ended."""
        yield from dict.fromkeys(one.event for one in self._book.open.values())

    def _befell(
        self,
        now: float,
        name: str,
        ready: dict[str, PendingClaim],
        networks: Container[Network],
        wait: Callable[[float], None],
    ) -> Iterator[NodeEvent]:
        pending = ready[name]
        node = self._book.view.members[name].node
        if pending.claim.of_node and (back := self._told_back(name)):
            yield from self._event(now, [pending], "", back, anew=True)
            return
        siblings = self._siblings(now, name, pending, ready, networks)
        if pending.ready(now) < siblings.patience:
            wait(now + RETRY)
            return
        joined = [ready[other] for other in (name, *siblings.ready)]
        whole = siblings.all_silent or all(one.claim.told and one.claim.of_node for one in joined)
        yield from self._event(now, joined, node if whole else "", siblings.answering)

    def _event(
        self,
        now: float,
        joined: Iterable[PendingClaim],
        node: str,
        answering: tuple[str, ...] = (),
        *,
        anew: bool = False,
    ) -> Iterator[NodeEvent]:
        """Announce these claims as one event, and yield it unless all of them are told already, or in any case where
        that is to be `anew`. It is about the `node`, if any, where all of them still stand."""
        ordered = sorted(joined, key=lambda pending: pending.claim.member)
        found = [one for one in (self._book.announce(now, pending) for pending in ordered) if one is not None]
        if not found:
            return
        claims = tuple(one.claim for one in found)
        event = NodeEvent(claims, node if len(found) == len(ordered) else "", answering)
        for one in found:
            one.event = event
            self._book.acknowledge_sources(one)
        if anew or not all(one.told for one in found):
            yield event

    def _siblings(
        self,
        now: float,
        name: str,
        pending: PendingClaim,
        ready: dict[str, PendingClaim],
        networks: Container[Network],
    ) -> _Siblings:
        book = self._book
        members, what = book.view.members, pending.claim.what
        silent_since = max(pending.first - pending.claim.silent + SUSPECT_MARGIN, pending.first - CLAIM_AGE)
        patience = 0.0
        same, before, answering = [], [], []
        others = self._others(name)
        for other in others:
            announced, heard = book.announced.get(other), book.heard.get(other)
            if other in ready and ready[other].claim.what is what:
                same.append(other)
            elif other not in book.pending and announced is not None and announced.claim.what is what:
                before.append(other)
            elif other == self._me or (other not in book.pending and heard is not None and heard.at > silent_since):
                answering.append(other)
            elif members[other].network in networks:
                claimed = other in book.pending and book.pending[other].claim.what is what
                if claimed or (other not in book.pending and self._sees(now, other, what)):
                    pending.joined = True
                patience = LIKELY_PATIENCE if pending.joined else NODE_PATIENCE
        if patience and pending.claim.told:
            patience = TOLD_PATIENCE
        return _Siblings(tuple(same), tuple(before), tuple(answering), patience, len(others))

    def _others(self, name: str) -> list[str]:
        """The other members of a member's node that are expected to answer."""
        view, took_leave = self._book.view, self._book.took_leave
        return [
            other
            for other in view.nodes.get(view.members[name].node, ())
            if other != name and view.members[other].expected and other not in took_leave
        ]

    def _returned(
        self,
        now: float,
        name: str,
        ready: dict[str, PendingClaim],
        networks: Container[Network],
        wait: Callable[[float], None],
    ) -> Iterator[NodeEvent]:
        """Announce one return of all that fell silent together, or of the first ones after `RETURN_PATIENCE`; of the
        others it is then announced again that they are silent. Where a coordinator before announced the silence of the
        whole node, its return is announced in the same words, once."""
        book = self._book
        event, node = self._open_event(name), book.view.members[name].node
        if event is not None:
            node, others = event.node, self._open(event, (name,))
        elif ready[name].claim.of_node:
            others = self._fell_with(name, networks)
        else:
            node, others = "", []
        if event is None and node and self._told_back(name):
            list(self._event(now, [ready[name]], node))  # changes the book, and yields nothing to tell
            return
        back = [other for other in others if other in ready and ready[other].claim.what is Condition.BACK]
        if len(back) < len(others) and now - ready[name].first < RETURN_PATIENCE:
            wait(now + RETRY)
            return
        joined = tuple(sorted((name, *back)))
        yield from self._event(now, [ready[other] for other in joined], node)
        silent = [other for other in others if other not in back]
        if held := [other for other in silent if self._open_event(other) is not None]:
            yield self._continue(held, "", joined)

    def _fell_with(self, name: str, networks: Container[Network]) -> list[str]:
        """The other members of its node that a coordinator before announced with this one, as of the whole node, of
        which this one does not know that it ended."""
        book, node = self._book, self._book.view.members[name].node
        return [
            other
            for other in self._others(name)
            if book.view.members[other].network in networks
            and (other not in book.pending or book.pending[other].claim.of_node)
            and (other not in book.announced or ((event := self._open_event(other)) is not None and event.node == node))
        ]

    def _told_back(self, name: str) -> tuple[str, ...]:
        """The other members of its node whose return was announced as that of the node."""
        announced, node = self._book.announced, self._book.view.members[name].node
        return tuple(
            other
            for other in self._others(name)
            if other in announced
            and announced[other].claim.what is Condition.BACK
            and announced[other].event.node == node
        )

    def _open_event(self, name: str) -> NodeEvent | None:
        """The event of which the announced condition of a member is part; None where none is or it has ended."""
        announced = self._book.announced.get(name)
        return announced.event if announced is not None and not announced.claim.what.ends else None

    def _open(self, event: NodeEvent, without: tuple[str, ...]) -> list[str]:
        """The members of an event, or of its whole node, without these, of which it has not ended."""
        found = {name: self._open_event(name) for name in self._book.announced if name not in without}
        return [
            name
            for name, one in found.items()
            if one is not None and (one is event or (event.node and one.node == event.node))
        ]

    def _continue(self, names: list[str], node: str, answering: tuple[str, ...]) -> NodeEvent:
        """Let an event go on for these of its members."""
        announced = self._book.announced
        rest = NodeEvent(tuple(announced[name].claim for name in names), node, answering)
        for name in names:
            announced[name].event = rest
            self._book.acknowledge_sources(announced[name])
        return rest
