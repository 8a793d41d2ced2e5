"""Trains as both ends counted them, joined by number: what a responder recorded of one peer's trains."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set

import msgspec

from kubesonar.core.diagnosis.population import Population
from kubesonar.model import Edge, Kind, Side, Trial

SAME_TRAIN = 5.0
"""Seconds by which both ends' times of one train may differ; a member that restarts counts its trains anew."""

_GAP = 64
"""Most trains in a row that may be missing between two records before the source is taken to have counted anew."""


class Arrival(msgspec.Struct, frozen=True):
    """One train as its responder knows it: `received` datagrams of `sent`; 0 where only its number shows that it was
    sent at all."""

    at: float
    sent: int
    received: int


class TrainLog:
    """The records of a responder about one peer's trains, over all address families: one count of the peer runs over
    them, so that a number is one train's alone. `offset` makes its times ours."""

    def __init__(self, edges: Sequence[Edge], offset: float) -> None:
        self._records: dict[int, tuple[float, Trial]] = {
            trial.number: (trial.at + offset, trial) for edge in edges for trial in edge.trials
        }
        past = [minute for edge in edges for minute in edge.past]
        self._since = min((minute.at + offset for minute in past), default=float("inf"))
        self._incomplete = {trial.number: (trial.at + offset, trial) for minute in past for trial in minute.bad}

    def arrived(self, trial: Trial, at: float) -> tuple[int, int]:
        """Return how many datagrams of that train, sent at `at`, arrived, and how many were answered."""
        record = _of(self._records, trial, at)
        if record is None:
            known = max(trial.received, min(trial.seen, trial.sent))  # what was answered arrived, though not recorded:
            return known, known  # the responder's roster did not name the source yet
        return min(record.received, trial.sent), record.sent

    def arrived_before(self, trial: Trial, at: float) -> tuple[int, int]:
        """The same of a bad train of the past, of which the responder kept the incomplete ones only; nothing where no
        answer came, because then all of it may have arrived, or nothing."""
        record = _of(self._incomplete, trial, at) or _of(self._records, trial, at)
        if record is not None:
            return min(record.received, trial.sent), record.sent
        if not trial.received:
            return 0, 0
        known = trial.sent if at >= self._since else max(trial.received, min(trial.seen, trial.sent))
        return known, known

    def full_arrived(self, trial: Trial, at: float) -> bool:
        """Whether the datagram of that train that fills the path's MTU arrived."""
        record = _of(self._records, trial, at)
        return trial.full_received > 0 or (record is not None and record.full_received > 0)

    def arrivals(self) -> Iterator[Arrival]:
        """The peer's trains in the order of their numbers. Those whose number is missing between two that arrived did
        not arrive; what came after the last nobody knows."""
        size = max((record.received for _, record in self._records.values()), default=0)
        last: tuple[int, float] | None = None
        for number, (at, record) in sorted(self._records.items()):
            if last is not None and 1 < number - last[0] <= _GAP and at > last[1]:
                step = (at - last[1]) / (number - last[0])
                yield from (Arrival(last[1] + step * n, size, 0) for n in range(1, number - last[0]))
            yield Arrival(at, size, record.received)
            last = number, at


class TrainLogs:
    """The records of responders about each source's trains, read when they are asked for. `kept` is whether responders
    of this mesh keep records."""

    def __init__(self, who: Population, kept: bool) -> None:
        self._who = who
        self._kept = kept
        self._edges: dict[str, dict[str, list[Edge]]] = {}
        self._logs: dict[tuple[str, str], TrainLog] = {}

    def of(self, responder: str, source: str) -> TrainLog | None:
        """Return what the responder recorded of this source's trains; None where that is not known. A responder that
        was read and has no records at all received nothing, if records are kept in this mesh."""
        if responder not in self._who.read or not self._kept:
            return None
        log = self._logs.get((responder, source))
        if log is None:
            found = self._of(responder).get(source, [])
            log = self._logs[responder, source] = TrainLog(found, self._who.offset(responder))
        return log

    def sources(self, responder: str) -> Set[str]:
        """Return whose trains that member recorded."""
        return self._of(responder).keys()

    def _of(self, responder: str) -> dict[str, list[Edge]]:
        edges = self._edges.get(responder)
        if edges is None:
            edges = self._edges[responder] = {}
            for edge in self._who.read[responder].edges:
                if edge.latest.side is Side.RESPONDER and edge.latest.check.kind is Kind.UDP:
                    edges.setdefault(edge.latest.check.target, []).append(edge)
        return edges


def _of(records: Mapping[int, tuple[float, Trial]], trial: Trial, at: float) -> Trial | None:
    """The record of that train, None where there is none."""
    recorded, record = records.get(trial.number, (0.0, None))
    return None if record is None or abs(recorded - at) >= SAME_TRAIN else record
