"""Counters and histograms over observations, as Prometheus knows them; the number of series is bounded."""

from __future__ import annotations

from bisect import bisect_left
from typing import Protocol

from kubesonar.model import Observation

LABEL_SETS = 64
"""Default of the most series of one family. Lower, and rare label sets are dropped; higher, and a stranger who can
choose label values costs more memory."""

Labels = tuple[str, ...]
"""Label values, in the order of the family's label names."""


class Instrument(Protocol):
    """Gets every observation once, in the order in which the ledger takes them in."""

    def add(self, observation: Observation) -> None:
        """Take one observation in."""
        ...


class CounterVec:
    """Counters by label set. An amount for a label set beyond `limit` is dropped and counted in `overflow`."""

    __slots__ = ("_limit", "overflow", "series")

    def __init__(self, limit: int = LABEL_SETS) -> None:
        self.series: dict[Labels, float] = {}
        self.overflow = 0
        self._limit = limit

    def add(self, labels: Labels, amount: float = 1) -> None:
        """Raise the counter of `labels` by `amount`, which is not negative."""
        if labels in self.series:
            self.series[labels] += amount
        elif len(self.series) < self._limit:
            self.series[labels] = amount
        else:
            self.overflow += 1


class Histogram:
    """One histogram: `counts` has an entry for each bucket and one for larger values; `total` is the sum of values."""

    __slots__ = ("counts", "total")

    def __init__(self, buckets: int) -> None:
        self.counts = [0] * (buckets + 1)
        self.total = 0.0


class Histograms:
    """Histograms by label set; a value counts in the first bucket whose bound it does not exceed. `bounds` are
    ascending and finite. Label sets beyond `limit` are dropped as in `CounterVec`."""

    __slots__ = ("_limit", "bounds", "overflow", "series")

    def __init__(self, bounds: tuple[float, ...], limit: int = LABEL_SETS) -> None:
        self.bounds = bounds
        self.series: dict[Labels, Histogram] = {}
        self.overflow = 0
        self._limit = limit

    def add(self, labels: Labels, value: float) -> None:
        """Count one value."""
        tally = self.series.get(labels)
        if tally is None:
            if len(self.series) >= self._limit:
                self.overflow += 1
                return
            tally = self.series[labels] = Histogram(len(self.bounds))
        tally.counts[bisect_left(self.bounds, value)] += 1
        tally.total += value
