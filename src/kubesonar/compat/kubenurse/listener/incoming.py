"""The neighbours that checked this pod lately."""

from __future__ import annotations

from collections.abc import Callable

COUNT_SPAN = 60.0
"""Seconds for which an origin counts after its last check."""
ORIGINS = 16_384
"""Most origins remembered; clients may invent any number of them."""
MAX_NAME_LENGTH = 253
"""Longest name of a pod (https://kubernetes.io/docs/concepts/overview/working-with-objects/names/)."""


class IncomingChecks:
    """Counts distinct origins within the last `COUNT_SPAN` seconds of `mono`, a monotonic clock."""

    def __init__(self, mono: Callable[[], float]) -> None:
        self._mono = mono
        self._seen: dict[str, float] = {}

    def note(self, origin: str) -> None:
        """Record a check by `origin`."""
        origin = origin[:MAX_NAME_LENGTH]
        self._seen.pop(origin, None)
        self._seen[origin] = self._mono()
        if len(self._seen) > ORIGINS:
            del self._seen[next(iter(self._seen))]

    def count(self) -> int:
        """Return the number of origins, and forgets older ones."""
        horizon = self._mono() - COUNT_SPAN
        while self._seen and self._seen[oldest := next(iter(self._seen))] < horizon:
            del self._seen[oldest]
        return len(self._seen)
