"""One event, one announcement: what befalls all members of a node at once is announced of the node."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from kubesonar.core.membership.announcing.claim_book import ClaimBook
from kubesonar.core.membership.announcing.siblings import ReadyClaims, Siblings
from kubesonar.core.membership.announcing.transitions import AnnouncedClaim, NodeEvent, PendingClaim
from kubesonar.model import Condition

RETURN_PATIENCE = 10.0
"""Seconds that the return of one member waits for that of the others that fell silent with it. With less, a node that
comes back is announced several times; with more, it is late that its other member is still silent."""

RETRY = 0.5
"""Seconds after which what waits is looked at again: less costs work, more delays announcements."""


class NodeEvents:
    """Joins the claims in the `book` of the coordinator `me` to events. `sees` is as `Siblings` has it; `wait` is
    called with the time at which claims that wait for others are to be looked at again."""

    def __init__(
        self,
        me: str,
        book: ClaimBook,
        sees: Callable[[float, str, Condition], bool],
        wait: Callable[[float], None],
    ) -> None:
        self._book = book
        self._siblings = Siblings(me, book, sees)
        self._wait = wait

    def announce(self, ready: ReadyClaims) -> Iterator[NodeEvent]:
        """Turn the claims that are ready into announced ones, but for those that wait for others of their node, and
        yield the events that are to be told."""
        for name in sorted(ready.claims):
            if name not in self._book.pending:
                continue  # it was part of an event before
            back = ready.claims[name].claim.what is Condition.BACK
            yield from self._returned(name, ready) if back else self._befell(name, ready)

    def left(self, gone: Iterable[AnnouncedClaim]) -> Iterator[NodeEvent]:
        """Yield the events that end because their last members left the roster."""
        for event in {one.event.node or one.event: one.event for one in gone}.values():
            rest = self._siblings.open_of(event)
            if rest:
                self._continue(rest, event.node, event.answering)
            else:
                yield event

    def held(self) -> Iterator[NodeEvent]:
        """Yield the events that have not ended."""
        yield from dict.fromkeys(one.event for one in self._book.open.values())

    def _befell(self, name: str, ready: ReadyClaims) -> Iterator[NodeEvent]:
        pending = ready.claims[name]
        if pending.claim.of_node and (back := self._siblings.told_back(name)):
            yield from self._event(ready.now, [pending], "", back, anew=True)
            return
        siblings = self._siblings.states(name, ready)
        if pending.ready(ready.now) < siblings.patience:
            self._wait(ready.now + RETRY)
            return
        joined = [ready.claims[other] for other in (name, *siblings.ready)]
        whole = siblings.all_silent or all(one.claim.told and one.claim.of_node for one in joined)
        node = self._book.view.members[name].node if whole else ""
        yield from self._event(ready.now, joined, node, siblings.answering)

    def _returned(self, name: str, ready: ReadyClaims) -> Iterator[NodeEvent]:
        """Announce one return of all that fell silent together, or of the first ones after `RETURN_PATIENCE`; of the
        others it is then announced again that they are silent. Where a coordinator before announced the silence of the
        whole node, its return is announced in the same words, once."""
        siblings, pending = self._siblings, ready.claims[name]
        event, node = siblings.open_event(name), self._book.view.members[name].node
        if event is not None:
            node, others = event.node, siblings.open_of(event, (name,))
        elif pending.claim.of_node:
            others = siblings.fell_with(name, ready.networks)
        else:
            node, others = "", []
        if event is None and node and siblings.told_back(name):
            list(self._event(ready.now, [pending], node))  # changes the book, and yields nothing to tell
            return
        back = [other for other in others if ready.says(other, Condition.BACK)]
        if len(back) < len(others) and ready.now - pending.first < RETURN_PATIENCE:
            self._wait(ready.now + RETRY)
            return
        joined = tuple(sorted((name, *back)))
        yield from self._event(ready.now, [ready.claims[other] for other in joined], node)
        silent = [other for other in others if other not in back]
        if held := [other for other in silent if siblings.open_event(other) is not None]:
            yield self._continue(held, "", joined)

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

    def _continue(self, names: list[str], node: str, answering: tuple[str, ...]) -> NodeEvent:
        """Let an event go on for these of its members."""
        announced = self._book.announced
        rest = NodeEvent(tuple(announced[name].claim for name in names), node, answering)
        for name in names:
            announced[name].event = rest
            self._book.acknowledge_sources(announced[name])
        return rest
