"""Decides how long one roster's word excuses a member's silence, and since when it says so. Used by diagnosis,
membership and agents."""

from __future__ import annotations

from msgspec.structs import replace

from kubesonar.model import Roster, State

ROSTER_LAG = 60.0
"""Seconds by which one roster may be ahead of or behind the others. For so long the word of one excuses a member, or
the lack of it in one; then the majority decides. With less, a rollout that some rosters know of looks like an outage;
with more, one roster that is wrong hides a dead member for longer."""

GOODBYE_LAG = 600.0
"""Seconds for which the silence of a member that took its leave is no death, unless it began anew since: longer than a
roster needs to leave it out, which in big clusters takes minutes (docs/kubernetes.md). Only the members that it told
know, so that no majority says so."""


def excuse_limit(state: State) -> float:
    """Return for how many seconds one roster's word excuses a member that is in this state."""
    return GOODBYE_LAG if state is State.LEAVING else ROSTER_LAG


class StateDates:
    """Dates the states in one agent's rosters, so that readers know how old its word is."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[State, float]] | None = None

    def dated(self, roster: Roster, now: float) -> Roster:
        """Return the roster with `since` (Unix seconds) of each member that its source does not date: `now` where the
        state is another one than in the roster before. In the first roster only states that excuse are dated, as
        nobody knows how old they are; the others count as old."""
        known, dates = self._known, {}
        members = []
        for member in roster.members:
            if known is None:
                began = 0.0 if member.expected else now
            else:
                state, before = known.get(member.name, (None, now))
                began = before if state is member.state else now
            dates[member.name] = member.state, began
            members.append(replace(member, since=began) if began and not member.since else member)
        if members:
            self._known = dates
        return replace(roster, members=tuple(members))
