"""Keeps how far a member trusts its own measurements (Lifeguard's local health multiplier, Dadgar, Phillips and Currey,
2017, arXiv 1707.00788): a starved member gives others more time, and its reports weigh less."""

from __future__ import annotations


class LocalHealth:
    """A score from 0 (well) to `limit`. One object for each member: its failure detector changes it, all its machines
    read it. With a limit of 0 nothing ever changes."""

    __slots__ = ("_limit", "_throttled", "score")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._throttled = 1.0
        self.score = 0

    @property
    def multiplier(self) -> float:
        """The factor, 1 to limit + 1, for every timeout by which others are judged."""
        return max(1.0 + self.score, self._throttled)

    @property
    def weight(self) -> float:
        """The weight of this member's own report, where that of a healthy member is 1."""
        return 1.0 / (1 + self.score)

    @property
    def enabled(self) -> bool:
        """Whether the member takes its own delays into account at all."""
        return self._limit > 0

    def degrade(self, by: int = 1) -> None:
        """Raise the score: an event is more likely this member's own trouble than that of others."""
        self.score = min(self._limit, self.score + by)

    def recover(self) -> None:
        """Lower the score by one: somebody answered in time."""
        if self.score:
            self.score -= 1

    def throttle(self, share: float) -> None:
        """Take over in what share of its CPU periods the process is throttled, from 0 to 1. A process that runs only
        1 - share of the time needs 1 / (1 - share) times as long, so the multiplier is at least that."""
        idle = min(max(share, 0.0), 1.0)
        self._throttled = min(1.0 / (1.0 - idle) if idle < 1 else float("inf"), 1.0 + self._limit)
