"""The brake: when too many nodes look dead at once, the observer is the likelier suspect, and that is all it says."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

from kubesonar.core.membership.announcing.claim_book import ClaimBook
from kubesonar.core.membership.announcing.own_looks import LOOK_TIMEOUT
from kubesonar.core.membership.events import Doubted, Quorum
from kubesonar.core.membership.member_view import MemberView
from kubesonar.model import Condition

LEAST_MANY = 3
"""Fewest nodes that look dead at once for the observer to be the suspect, whatever their share: of five nodes two may
well die of one cause. With more, an observer that is cut off from a few speaks of their death."""

MIN_TENURE = 3.0
"""Intervals after an election during which followers may be missing because a promise binds them to another."""

SOBER_PERIOD = 7.0
"""Seconds without announcements after self-suspicion, so that every open suspicion is checked again first."""

HELD_TOO_LONG = 60.0
"""Seconds after which a brake that is held is told once more, with the nodes: an observer that is wrong for so long
helps nobody by silence. With less, a short disturbance is told twice."""

_NAMED = 10
"""Most nodes that are named then."""


OLD = 60.0
"""Seconds after which an announced member no longer counts among those that look dead at once: it is another event."""


def look_dead(now: float, me: str, book: ClaimBook, quorum: Quorum) -> tuple[frozenset[str], int]:
    """Return the nodes that look dead at once to the coordinator `me`, and of how many, in the networks for which it
    speaks. A node whose members are all silent is one, not several."""
    view = book.view
    members = {name: one for name, one in view.members.items() if one.network in quorum.networks}
    looks = {name for name in quorum.unheard if name in members and members[name].expected}
    old = {name for name, one in book.open.items() if now - one.at > OLD and name in looks}
    looks |= {  # not contradicted
        name
        for name, one in book.pending.items()
        if one.claim.what is not Condition.BACK and now - one.first >= LOOK_TIMEOUT - 1e-6 and name in members
    }
    left = old | (book.took_leave - {me})
    serving = {name for name, member in members.items() if member.expected}
    return nodes_of(view, looks - left), len(nodes_of(view, serving - left))


def nodes_of(view: MemberView, names: Iterable[str]) -> frozenset[str]:
    """Return the nodes of these members; a member whose node is not known is one of its own."""
    return frozenset(view.members[name].node or name for name in names)


class Brake:
    """Keeps a coordinator from announcing deaths where more than a `share` of the nodes, `LEAST_MANY` at least, look
    dead, or where no majority follows."""

    def __init__(self, share: float, emit: Callable[[Any], None]) -> None:
        self._share = share
        self._emit = emit
        self._since: float | None = None
        self._told = False
        self._sober_from = float("-inf")

    def clear(self) -> None:
        """Begin anew: the coordinator has changed."""
        self.release()
        self._sober_from = float("-inf")

    def release(self) -> None:
        """Report that the doubt is over, where there was one."""
        if self._since is not None:
            self._since, self._told = None, False
            self._emit(Doubted(Condition.BACK, 0, 0))

    def holds(self, now: float, quorum: Quorum, dead: Collection[str], of: int) -> bool:
        """Return whether nothing may be announced now, where these nodes of so many look dead."""
        if not quorum.networks:
            if quorum.tenure > SOBER_PERIOD:
                self._sober_from = now + SOBER_PERIOD
            return True
        if len(dead) < LEAST_MANY or len(dead) <= self._share * of:
            self.release()
            return now < self._sober_from
        if quorum.tenure > MIN_TENURE * quorum.interval:
            self._sober_from = now + SOBER_PERIOD
            self._report(now, dead, of)
        return True

    def _report(self, now: float, dead: Collection[str], of: int) -> None:
        if self._since is None:
            self._since = now
            self._emit(Doubted(Condition.SUSPECT, len(dead), of))
        elif not self._told and now - self._since >= HELD_TOO_LONG:
            self._told = True
            nodes = tuple(sorted(dead)[:_NAMED])
            self._emit(Doubted(Condition.SUSPECT, len(dead), of, now - self._since, nodes))
