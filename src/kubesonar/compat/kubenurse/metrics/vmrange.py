"""VictoriaMetrics' histograms: 18 ranges a decade from 1e-9 to 1e18, of which only those with values are shown
(https://pkg.go.dev/github.com/VictoriaMetrics/metrics#Histogram)."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil, isnan, log10

from kubesonar.core.telemetry.instruments import Labels

_LOWEST, _HIGHEST = -9, 18
_A_DECADE = 18
_RANGES = (_HIGHEST - _LOWEST) * _A_DECADE


class RangeHistogram:
    """One histogram. `counts` has the index of a range as key: 0 below all ranges, `_RANGES` + 1 above all."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts: dict[int, int] = {}
        self.total = 0.0

    def ranges(self) -> Iterator[tuple[str, int]]:
        """Yield label and count of each range that has values, ascending."""
        return ((_label(place), self.counts[place]) for place in sorted(self.counts))


class RangeHistograms:
    """Range histograms by label set, at most `limit` of them."""

    def __init__(self, limit: int) -> None:
        self.series: dict[Labels, RangeHistogram] = {}
        self._limit = limit

    def add(self, labels: Labels, value: float) -> None:
        """Count a value; negative ones and NaN are ignored. A power of ten belongs to the range below it."""
        if isnan(value) or value < 0:
            return
        tally = self.series.get(labels)
        if tally is None:
            if len(self.series) >= self._limit:
                return
            tally = self.series[labels] = RangeHistogram()
        place = _place(value)
        tally.counts[place] = tally.counts.get(place, 0) + 1
        tally.total += value


def _place(value: float) -> int:
    if value <= 10.0**_LOWEST:
        return 0 if value < 10.0**_LOWEST else 1
    return min(_RANGES + 1, max(1, ceil((log10(value) - _LOWEST) * _A_DECADE)))


def _label(place: int) -> str:
    if place == 0:
        return f"0...{_bound(0)}"
    return f"{_bound(place - 1)}...{_bound(place)}" if place <= _RANGES else f"{_bound(_RANGES)}...+Inf"


def _bound(place: int) -> str:
    return f"{10 ** (_LOWEST + place / _A_DECADE):.3e}"
