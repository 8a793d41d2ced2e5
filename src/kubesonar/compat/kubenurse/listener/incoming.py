"""Who asked us of late."""

from __future__ import annotations

from collections.abc import Callable

COUNT_SPAN = 60.0
"""Seconds for which an origin counts."""
ORIGINS = 16_384
"""Most origins remembered: anybody can make up any number of them."""
MAX_NAME_LENGTH = 253
"""Longest name of a pod (https://kubernetes.io/docs/concepts/overview/working-with-objects/names/)."""


class Incoming:
    """Distinct origins within the last `COUNT_SPAN` seconds of `mono`, a clock that never goes back."""

    def __init__(self, mono: Callable[[], float]) -> None:
        self._mono = mono
        self._seen: dict[str, float] = {}

    def note(self, origin: str) -> None:
        """`origin` has just asked."""
        origin = origin[:MAX_NAME_LENGTH]
        self._seen.pop(origin, None)
        self._seen[origin] = self._mono()
        if len(self._seen) > ORIGINS:
            del self._seen[next(iter(self._seen))]

    def count(self) -> int:
        """How many asked; those who did not for a while are forgotten."""
        horizon = self._mono() - COUNT_SPAN
        while self._seen and self._seen[oldest := next(iter(self._seen))] < horizon:
            del self._seen[oldest]
        return len(self._seen)
