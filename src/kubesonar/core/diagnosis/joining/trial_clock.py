"""Decides which trials count, at what time by our clock, and in which bin of age."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

from kubesonar.core.diagnosis.evidence import Ages
from kubesonar.core.diagnosis.population import Interval, Population
from kubesonar.model import Edge, Fault, Kind, Minute, Observation, Trial

_MINUTE = 60.0
_SIGNED = frozenset({Kind.UDP, Kind.HTTP, Kind.MTU})
"""Kinds of checks whose answers say which member gave them."""


class TrialClock:
    """Sorts trials by age. A trial that accuses nobody does not count: `mismatches` are the pairs whose versions or
    keys did not fit, `misdelivered` the targets at whose address another member answers, with who sees it, since when
    and where."""

    def __init__(self, who: Population, ages: Ages) -> None:
        self._who = who
        self._ages = ages
        self._who_answered: dict[str, dict[tuple[str, str], Observation]] = {}
        self.mismatches: set[tuple[str, str]] = set()
        self.misdelivered: dict[str, dict[str, tuple[float, str]]] = {}

    def age_bin(self, at: float, settle: float, blind: list[Interval]) -> int | None:
        """Return the bin of that time; None where it does not count."""
        now = self._who.now
        if not now - self._ages.long < at <= now - settle or (blind and _within(at, blind)):
            return None
        return bisect_right(self._ages.edges, now - at)

    def counted(self, source: str, edge: Edge, settle: float) -> Iterator[tuple[Trial, float, int]]:
        """Return the trials that count, each with its time by our clock and its bin: all of the long window, and the
        bad ones of the past. A target that was starved spoils what its process had to answer, and no pings, which its
        kernel answers."""
        target = edge.latest.check.target
        offset = self._who.offset(source)
        pings = edge.latest.check.kind is Kind.ICMP
        spans = self._who.blind[source] + (self._who.unborn(target) if pings else self._who.blind.get(target, []))
        blind = [(since, until) for since, until in spans if until >= self._who.now - self._ages.long]
        for trial in edge.trials:
            at = trial.at + offset
            age_bin = self.age_bin(at, settle, blind)
            if age_bin is None:
                continue
            fault = trial.fault
            if fault is Fault.MISDELIVERED:
                self._elsewhere(source, edge, at)
                continue
            if fault is not None and not fault.accuses:
                if fault is Fault.MISMATCH:
                    self.mismatches.add((source, target))
                continue
            if fault is None and not trial.received:
                continue
            yield trial, at, age_bin
        for minute, age_bin in self.past(source, edge):
            for trial in minute.bad:
                if trial.fault is not Fault.MISDELIVERED:
                    yield trial, trial.at + offset, age_bin

    def past(self, source: str, edge: Edge) -> Iterator[tuple[Minute, int]]:
        """Return the minutes of the past that count, each with its bin: those in which both ends could be trusted. Of
        members only trains tell of faint loss."""
        check = edge.latest.check
        if not edge.past or (check.target in self._who.members and check.kind is not Kind.UDP):
            return
        now, ages, offset = self._who.now, self._ages, self._who.offset(source)
        blind = self._who.blind[source] + self._who.blind.get(check.target, [])
        for minute in edge.past:
            start = minute.at + offset
            age = now - start - _MINUTE / 2
            if age >= ages.memory or any(since < start + _MINUTE and until > start for since, until in blind):
                continue
            yield minute, max(ages.window, bisect_right(ages.edges, age))

    def _elsewhere(self, source: str, edge: Edge, at: float) -> None:
        """Note that another member answered, where that is the latest that is known of this address; it says nothing
        of the target, nor of the way to it."""
        check = edge.latest.check
        met = self._met(source).get((check.target, check.address))
        if met is not None and met.fault is Fault.MISDELIVERED:
            seen = self.misdelivered.setdefault(check.target, {})
            seen[source] = min(seen.get(source, (at, check.address)), (at, check.address))

    def _met(self, source: str) -> dict[tuple[str, str], Observation]:
        """Return, by target and address, the source's latest probe whose answer says who gave it."""
        found = self._who_answered.get(source)
        if found is None:
            found = self._who_answered[source] = {}
            for latest in (edge.latest for edge in self._who.read[source].edges):
                if latest.check.kind in _SIGNED and (latest.fault is None or latest.fault is Fault.MISDELIVERED):
                    key = latest.check.target, latest.check.address
                    if key not in found or found[key].at < latest.at:
                        found[key] = latest
        return found


def _within(at: float, spans: list[Interval]) -> bool:
    return any(since <= at <= until for since, until in spans)
