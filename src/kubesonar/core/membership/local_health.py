"""How far a member trusts itself to judge others (Lifeguard's local health multiplier, Dadgar, Phillips and Currey,
2017, arXiv 1707.00788): one that runs late or that nobody answers gives others more time, and its word weighs less."""

from __future__ import annotations


class LocalHealth:
    """A score from 0 (well) to `limit`; every timeout by which others are judged is `stretch` times as long. With a
    limit of 0 it never doubts itself."""

    __slots__ = ("_limit", "score")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self.score = 0

    @property
    def stretch(self) -> float:
        """By what timeouts are multiplied, 1 to limit + 1."""
        return 1.0 + self.score

    @property
    def weight(self) -> float:
        """What the own word weighs against that of a member that is well."""
        return 1.0 / (1 + self.score)

    @property
    def doubts(self) -> bool:
        """Whether it takes its own delays into account at all."""
        return self._limit > 0

    def worse(self, by: int = 1) -> None:
        """Something happened that is more likely our own trouble than that of others."""
        self.score = min(self._limit, self.score + by)

    def better(self) -> None:
        """Somebody answered in time."""
        if self.score:
            self.score -= 1
