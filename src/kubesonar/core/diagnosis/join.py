"""Joins what both ends counted into cells: trials that cross the same parts of the network, sorted by age.

A train of datagrams is one trial each way, lossy or not, because losses come in bursts. Where the responder's record
of a train could be read, the two ways are told apart; where not, by what it said in its answers; else the trial is
one round trip.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from statistics import median

import msgspec

from kubesonar.core.diagnosis.evidence import SETTLE, STREAM, Ages, Cell, Evidence, Speed
from kubesonar.core.diagnosis.path_features import Aspect, Traversal, Way
from kubesonar.core.diagnosis.population import Interval, Population, standing
from kubesonar.model import Edge, Fault, Kind, Network, Path, Side, Snapshot, Trial

__all__ = ["Ages", "Basis", "Cell", "Evidence", "basis", "collect"]

_SAME_TRAIN = 5.0
"""Seconds by which both ends' times of one train may differ; a member that restarts counts its trains anew."""

_SILENT = frozenset({Fault.TIMEOUT, Fault.UNREACHABLE})
_STREAMS = frozenset({Kind.TCP, Kind.HTTP, Kind.TLS})


class Basis(msgspec.Struct, frozen=True):
    """What a verdict and a map are made from `at` that time (Unix seconds), gathered once for both: how the members
    stand, the evidence that their snapshots give together, and who could not be read and why."""

    at: float
    who: Population
    evidence: Evidence
    unread: Mapping[str, str]


def basis(snapshots: Sequence[Snapshot], unread: Mapping[str, str], now: float) -> Basis:
    """Of the members that could be read just now, at `now` (Unix seconds); `unread` says of the others why not."""
    who = standing(snapshots, unread, now)
    return Basis(now, who, collect(who), unread)


class _Collector:
    def __init__(self, who: Population, ages: Ages) -> None:
        self.who = who
        self.ages = ages
        self.recording = any(_recorded(edge) for snapshot in who.read.values() for edge in snapshot.edges)
        self.cells: dict[tuple[str, str, Kind, bool, str, Way, Aspect], Cell] = {}
        self.heard: set[str] = set()
        self.mismatches: set[tuple[str, str]] = set()
        self.speeds: list[Speed] = []
        self.sizes: dict[tuple[str, str], tuple[int, Fault]] = {}
        self.sent = [0] * len(ages.edges)
        self.lost = [0] * len(ages.edges)

    def edge(self, source: str, edge: Edge) -> None:
        check = edge.latest.check
        if check.kind is Kind.UDP:
            self._trains(source, edge)
        elif check.kind is Kind.MTU:
            self._sizes(source, edge)
        elif check.kind is not Kind.OTHER:
            self._probes(source, edge)

    def cell(self, source: str, edge: Edge, way: Way, question: Aspect, packets: int) -> Cell:
        check = edge.latest.check
        tcp = check.kind in _STREAMS or (check.kind is Kind.DNS and check.request.endswith(" tcp"))
        kind, target = check.kind, check.target
        key = (source, target, kind, tcp, check.path.value, way, question)
        found = self.cells.get(key)
        if found is None:
            route = Traversal(
                self.who.end(source),
                self.who.end(target),
                kind,
                check.path,
                way,
                question,
                port=check.port,
                tcp=tcp,
                silent=target not in self.who.read,
            )
            found = self.cells[key] = Cell(route, STREAM if tcp else packets, len(self.ages.edges))
        return found

    def _judged(self, source: str, edge: Edge, settle: float) -> Iterator[tuple[Trial, float, int]]:
        """The trials that count, each with its time by our clock and its bin."""
        target = edge.latest.check.target
        offset = self.who.offset(source)
        newest, oldest = self.who.now - settle, self.who.now - self.ages.long
        spans = self.who.blind[source] + self.who.blind.get(target, [])
        blind = [(since, until) for since, until in spans if until >= oldest]
        edges, now = self.ages.edges, self.who.now
        for trial in edge.trials:
            at = trial.at + offset
            if not oldest < at <= newest or (blind and _within(at, blind)):
                continue
            fault = trial.fault
            if fault is not None and not fault.accuses:
                if fault is Fault.MISMATCH:
                    self.mismatches.add((source, target))
                continue
            if fault is None and not trial.received:
                continue
            yield trial, at, bisect_right(edges, now - at)

    def _hear(self, edge: Edge, heard: int | None) -> None:
        """Notes that the target answered, in this bin of age."""
        if heard is not None and heard < self.ages.recent:
            self.heard.add(edge.latest.check.target)

    def _probes(self, source: str, edge: Edge) -> None:
        kind = edge.latest.check.kind
        reach = self.cell(source, edge, Way.ROUND, Aspect.REACH, 1)
        answer = self.cell(source, edge, Way.ROUND, Aspect.ANSWER, 1)
        datagram = kind is Kind.DNS and not reach.route.tcp
        heard: int | None = None
        for trial, at, age_bin in self._judged(source, edge, _settle(edge)):
            silent = trial.fault in _SILENT
            refused = trial.fault is Fault.REFUSED
            if not (datagram and refused):
                reach.add(at, age_bin, silent)
            if not silent and kind is not Kind.ICMP:
                answer.add(at, age_bin, trial.fault is not None)
            if trial.fault is None:
                heard = age_bin
        self._hear(edge, heard)

    def _sizes(self, source: str, edge: Edge) -> None:
        check = edge.latest.check
        cell = self.cell(source, edge, Way.FORWARD, Aspect.SIZE, 1)
        rates: list[float] = []
        for trial, at, age_bin in self._judged(source, edge, _settle(edge)):
            if trial.fault in (None, Fault.BLACK_HOLE, Fault.TOO_BIG):
                cell.add(at, age_bin, trial.fault is not None)
                if age_bin < self.ages.recent and (trial.rate or trial.fault is None):
                    rates.append(trial.rate)
        if rates:
            self.speeds.append(Speed(source, check.target, _usual_rate(rates)))
        fault = edge.latest.fault
        if fault in (Fault.BLACK_HOLE, Fault.TOO_BIG) and edge.latest.mtu:
            self.sizes[source, check.target] = (edge.latest.mtu, fault)

    def _trains(self, source: str, edge: Edge) -> None:
        size = max((trial.sent for trial in edge.trials), default=1)
        forward = self.cell(source, edge, Way.FORWARD, Aspect.REACH, size)
        back = self.cell(source, edge, Way.BACK, Aspect.REACH, size)
        both = self.cell(source, edge, Way.ROUND, Aspect.REACH, size)
        answer = self.cell(source, edge, Way.ROUND, Aspect.ANSWER, 1)
        records = self._records(source, edge)
        heard: int | None = None
        for trial, at, age_bin in self._judged(source, edge, max(SETTLE, _settle(edge))):
            sent, received = trial.sent, trial.received
            if received:
                heard = age_bin
            self.sent[age_bin] += sent
            self.lost[age_bin] += max(0, sent - received)
            if trial.fault is Fault.REFUSED:
                answer.add(at, age_bin, True)
                continue
            if received:
                answer.add(at, age_bin, trial.fault not in (None, *_SILENT))
            arrived, answered = _arrival(trial, at, records)
            if arrived is None:
                both.add(at, age_bin, received < sent, sent, sent - received)
                continue
            if arrived >= 0:
                forward.add(at, age_bin, arrived < sent, sent, sent - arrived)
            if answered:
                back.add(at, age_bin, received < answered, answered, answered - received)
        self._hear(edge, heard)

    def _records(self, source: str, edge: Edge) -> dict[int, tuple[float, Trial]] | None:
        """What the responder recorded of this source's trains, by number and with its time by our clock; None where
        that is not known. One count of trains runs over all address families, so a number is one train's alone. A
        responder that was read and has no records at all received nothing, if records are kept in this mesh."""
        name = edge.latest.check.target
        target = self.who.read.get(name)
        if target is None or not self.recording:
            return None
        offset = self.who.offset(name)
        found: dict[int, tuple[float, Trial]] = {}
        for other in target.edges:
            if _recorded(other) and other.latest.check.target == source:
                found.update((trial.number, (trial.at + offset, trial)) for trial in other.trials)
        return found


def _recorded(edge: Edge) -> bool:
    """Whether this is what a responder recorded of a peer's trains."""
    return edge.latest.side is Side.RESPONDER and edge.latest.check.kind is Kind.UDP


def _usual_rate(rates: list[float]) -> float:
    """The median of what was measured, oldest first, 0 where most trains were too fast or too broken to tell. As many
    of each: the newest decides, so that a link that is fast again is not called slow for as long as the window."""
    measured = [rate for rate in rates if rate]
    most = 2 * len(measured) - len(rates)
    return median(measured) if measured and (most > 0 or (most == 0 and rates[-1])) else 0.0


def _arrival(trial: Trial, at: float, records: dict[int, tuple[float, Trial]] | None) -> tuple[int | None, int]:
    """How many datagrams of a train arrived and how many were answered: (None, 0) where the ways cannot be told apart,
    -1 arrived where only the way back is certain."""
    if records is not None:
        recorded, record = records.get(trial.number, (0.0, None))
        if record is not None and abs(recorded - at) < _SAME_TRAIN:
            return min(record.received, trial.sent), record.sent
        if not trial.received:
            return 0, 0
    if trial.seen >= trial.sent:
        return trial.sent, trial.sent
    if trial.seen > trial.received:
        return -1, trial.seen  # the last answers may be missing, and with them a higher count
    return None, 0


def _settle(edge: Edge) -> float:
    """A failure is known only after its timeout; counting the successes that are known sooner would flatter."""
    return min(edge.latest.check.timeout, 5.0) + 0.2


def _within(at: float, spans: list[Interval]) -> bool:
    return any(since <= at <= until for since, until in spans)


def collect(who: Population) -> Evidence:
    """The evidence of all members that are expected and read, about members that are expected and plain targets."""
    edges = [edge for snapshot in who.read.values() for edge in snapshot.edges[:1]]
    ages = Ages(
        min(max((edge.short.span for edge in edges), default=10.0), 600.0),
        min(max((edge.long.span for edge in edges), default=60.0), 3600.0),
    )
    collector = _Collector(who, ages)
    for name, snapshot in who.read.items():
        if name in who.expected:
            for edge in snapshot.edges:
                if _counts(who, name, edge):
                    collector.edge(name, edge)
    return Evidence(
        ages,
        [cell for cell in collector.cells.values() if any(cell.total)],
        frozenset(collector.heard),
        frozenset(collector.mismatches),
        collector.speeds,
        collector.sizes,
        collector.sent,
        collector.lost,
    )


def _counts(who: Population, source: str, edge: Edge) -> bool:
    check = edge.latest.check
    if edge.latest.side is not Side.SOURCE or check.target in who.excused:
        return False
    target = who.members.get(check.target)
    if target is None:
        return check.path not in (Path.POD, Path.HOST, Path.LOOPBACK, Path.COLLECTOR, Path.OTHER)
    return target.node != who.members[source].node and target.network is not Network.OTHER
