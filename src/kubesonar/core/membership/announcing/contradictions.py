"""A coordinator whose roster alone excuses a silent member, or lacks it, gives way: one roster's word excuses for as
long as rosters may lag, and no longer."""

from __future__ import annotations

from kubesonar.core.excuses import ROSTER_LAG
from kubesonar.core.membership.announcing.claim_book import FRESH

AGAINST = 2
"""Members whose rosters expect the one that they claim to be dead: one of them may be behind itself."""

_MOST = 1000
"""Most members of which such claims are counted: a bound on memory."""


class Contradictions:
    """Counts who claims that a member is dead which this coordinator's roster does not expect."""

    def __init__(self) -> None:
        self._claims: dict[str, dict[str, tuple[float, float]]] = {}

    def clear(self) -> None:
        """Begin anew: the coordinator has changed."""
        self._claims.clear()

    def claimed(self, now: float, source: str, member: str) -> bool:
        """Note a claim; return whether `AGAINST` members have made it for `ROSTER_LAG` seconds."""
        if member not in self._claims and len(self._claims) >= _MOST:
            self._claims.clear()
        sources = self._claims.setdefault(member, {})
        first, _ = sources.get(source, (now, now))
        sources[source] = first, now
        sources = self._claims[member] = {name: one for name, one in sources.items() if now - one[1] <= FRESH}
        return sum(now - first >= ROSTER_LAG for first, _ in sources.values()) >= AGAINST
