"""The simulated network: what a packet meets between two members. Two directions of a link are two links."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random


class SimNetwork:
    """`loss` is a share, `delay` and `jitter` are seconds one way. Members in different `parts` do not hear each other
    (who is in none shares one), nor do those that are `cut`; `blocked` ways (source, target) carry nothing, `slow` ones
    so many seconds more."""

    def __init__(self, rng: Random) -> None:
        self.loss = 0.0
        self.delay = 0.001
        self.jitter = 0.0005
        self.cut: set[str] = set()
        self.blocked: set[tuple[str, str]] = set()
        self.slow: dict[tuple[str, str], float] = {}
        self.parts: dict[str, int] = {}
        self._random = rng.random

    def way(self, source: str, target: str) -> float | None:
        """Return how long one packet takes (s), None if it is lost."""
        if self.loss and self._random() < self.loss:
            return None
        delay = self.delay + self.jitter * self._random()
        if self.cut or self.blocked or self.parts or self.slow:
            if not self.open(source, target):
                return None
            delay += self.slow.get((source, target), 0.0)
        return delay

    def open(self, source: str, target: str) -> bool:
        """Whether anything passes from `source` to `target` at all."""
        return (
            source not in self.cut
            and target not in self.cut
            and (source, target) not in self.blocked
            and self.parts.get(source, 0) == self.parts.get(target, 0)
        )

    def heal(self) -> None:
        """All ways are open again, at their usual speed."""
        self.cut.clear()
        self.blocked.clear()
        self.slow.clear()
        self.parts.clear()
