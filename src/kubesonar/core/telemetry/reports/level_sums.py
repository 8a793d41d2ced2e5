"""Sums of what all agents counted, which only grow, though agents come, restart and go."""

from __future__ import annotations

from kubesonar.core.telemetry.instruments import CounterVec, Histogram, Histograms
from kubesonar.core.telemetry.service_levels import INDICATORS, LATENCY_BOUNDS, LatencyCounts, ServiceLevels

_NONE = ServiceLevels()


class LevelSums:
    """Takes each agent's counts and sums up what they grew by. What an agent counted before this began is left out, as
    the predecessor of this collector has summed it up. `answered` and `failed` are by indicator, `sent` and `received`
    count datagrams."""

    def __init__(self) -> None:
        self.answered = Histograms(LATENCY_BOUNDS)
        self.failed = CounterVec()
        self.sent = 0
        self.received = 0
        self._began: float | None = None
        self._known: dict[str, tuple[int, ServiceLevels]] = {}

    def take(self, identity: str, epoch: int, age: float, levels: ServiceLevels, now: float) -> None:
        """Take the counts of an agent that began `age` seconds before `now`; a life of it has one `epoch`."""
        if self._began is None:
            self._began = now
        life, before = self._known.get(identity, (0, _NONE))
        if identity not in self._known and age > now - self._began:
            before = levels
        elif life != epoch:
            before = _NONE
        self._known[identity] = epoch, levels
        self.sent += max(0, levels.sent - before.sent)
        self.received += max(0, levels.received - before.received)
        for indicator in INDICATORS:
            counted: LatencyCounts | None = getattr(levels, indicator)
            if counted is not None and len(counted.counts) == len(LATENCY_BOUNDS) + 1:
                self._grow(indicator, counted, getattr(before, indicator) or LatencyCounts(()))

    def forget(self, identity: str) -> None:
        """Forget an agent; what it counted stays in the sums."""
        self._known.pop(identity, None)

    def _grow(self, indicator: str, counted: LatencyCounts, before: LatencyCounts) -> None:
        known = before.counts if len(before.counts) == len(counted.counts) else (0,) * len(counted.counts)
        histogram = self.answered.series.setdefault((indicator,), Histogram(len(LATENCY_BOUNDS)))
        for bucket, (count, earlier) in enumerate(zip(counted.counts, known, strict=True)):
            histogram.counts[bucket] += max(0, count - earlier)
        histogram.total += max(0.0, counted.seconds - before.seconds)
        self.failed.add((indicator,), max(0, counted.failed - before.failed))
