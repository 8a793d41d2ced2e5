"""Counters and histograms of checks, in the older tool's terms."""

from __future__ import annotations

from kubesonar.compat.kubenurse.go.httptrace import ROUND_TRIP, failure, timeline
from kubesonar.compat.kubenurse.metrics.vmrange import RangeHistograms
from kubesonar.core.telemetry.instruments import CounterVec, Histograms, Labels
from kubesonar.model import Fault, Observation, Phase

PATH_PREFIX = "path_"
"""Prefix of the type of a neighbour's check; the node's name follows."""

TYPES = 8192
"""Most types of checks that are counted; further types are not counted."""

_EVENTS = 9
_CODES = 16
_FORGET = 3600.0
"""Seconds without a check after which a neighbour's series are dropped; longer: more series in clusters whose nodes
come and go."""


class CheckInstruments:
    """Counts observations (`add`) and whole checks (`finished`)."""

    def __init__(self, bounds: tuple[float, ...], *, ranges: bool) -> None:
        def make(sets: int) -> Histograms | RangeHistograms:
            return RangeHistograms(sets) if ranges else Histograms(bounds, sets)

        self.requests = CounterVec(TYPES * _CODES)
        self.errors = CounterVec(TYPES * _CODES)
        self.durations = make(TYPES)
        self.traces = make(TYPES * _EVENTS)
        self.checks = make(TYPES)
        self._asked: dict[str, float] = {}

    def add(self, seen: Observation) -> None:
        """Count one request. One that failed because of our own trouble is not counted: it says nothing of the
        network."""
        if seen.fault is Fault.LOCAL:
            return
        kind = seen.check.id
        if kind not in self._asked and len(self._asked) >= TYPES:
            return
        self._asked[kind] = seen.at
        self.requests.add((kind, str(seen.code or ROUND_TRIP)))
        for event, seconds in timeline(seen):
            self.traces.add((kind, event), seconds)
        if seen.code:
            self.durations.add((kind,), next(s.end for s in seen.phases if s.phase is Phase.FIRST_BYTE))
        if seen.fault is not None:
            self.errors.add((kind, failure(seen)))

    def finished(self, kind: str, seconds: float) -> None:
        """Count a whole check, redirects included."""
        self.checks.add((kind,), seconds)

    def forget(self, now: float) -> None:
        """Drop the series of neighbours that were not checked for an hour; `now` is Unix seconds."""
        gone = {kind for kind, at in self._asked.items() if kind.startswith(PATH_PREFIX) and now - at > _FORGET}
        if not gone:
            return
        for kind in gone:
            del self._asked[kind]
        for family in (self.requests, self.errors, self.durations, self.traces, self.checks):
            series: dict[Labels, object] = family.series  # type: ignore[assignment]
            for labels in [labels for labels in series if labels[0] in gone]:
                del series[labels]
