"""Joins what both ends counted into cells: trials that cross the same parts of the network, sorted by age.

A check is a chain: a name is resolved, packets go there and back, something answers. What failed says nothing of what
would have come after it. A train of datagrams is one trial each way, lossy or not, because losses come in bursts. Where
the responder's record of a train could be read, the two ways are told apart; where not, the trial is one round trip.
What responders recorded of a member's trains counts also where that member itself could not be read.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence, Set
from statistics import median

import msgspec

from kubesonar.core.address import is_literal
from kubesonar.core.diagnosis.evidence import FAINT, SETTLE, Ages, Cell, Evidence, Lookups, Speed
from kubesonar.core.diagnosis.inference.trial_model import BIG, look_up, stream
from kubesonar.core.diagnosis.joining.pair_index import PairIndex
from kubesonar.core.diagnosis.joining.sieve import STREAMS, Pair, Sieve, observed_family
from kubesonar.core.diagnosis.joining.trains import TrainLog
from kubesonar.core.diagnosis.parts.traversal import OWN_SERVICE, Aspect, End, Traversal, Way
from kubesonar.core.diagnosis.population import Interval, Population, standing
from kubesonar.model import Check, Edge, Fault, Kind, Minute, Network, Observation, Path, Side, Snapshot, Trial

__all__ = ["Ages", "Basis", "Cell", "Evidence", "basis", "collect"]

_SILENT = frozenset({Fault.TIMEOUT, Fault.UNREACHABLE})
_MINUTE = 60.0
_SIGNED = frozenset({Kind.UDP, Kind.HTTP, Kind.MTU})
"""Kinds of checks whose answers say which member gave them."""
_NAMES = {Path.API_DNS: 1, Path.API_DIRECT: 1}
"""Names that are tried where the name is absolute."""
_MOST_NAMES = 5
"""The same where the search list of a usual pod is gone through."""
_ONE_OF_TWO = 0.1
"""Share of lossy trains from which on (and up to one less this) only one address family may be sick: responders count
the trains of both as one."""
_OWN_SERVICES = frozenset({"dns-service", OWN_SERVICE})
"""Targets of core/probing/cluster_checks.py of which it is known what is behind them."""
_PORTS = {"http": 80, "https": 443}


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
    """Makes cells of the pairs that are asked for; `made` are those that hold trials."""

    def __init__(self, who: Population, ages: Ages, sieve: Sieve) -> None:
        self.who = who
        self.ages = ages
        self.sieve = sieve
        self.made: list[Cell] = []
        self._new: list[Cell] = []
        self.logs = _Logs(who, sieve)
        self.behind = {Path.DNS_SERVICE: sieve.dns_pods, Path.SERVICE: _agents(who)}
        self.cells: dict[tuple[object, ...], Cell] = {}
        self.bad_since: dict[tuple[str, str], float] = {}
        self.lookups: dict[tuple[str, str], Lookups] = {}
        self.heard: set[str] = set(sieve.heard)
        self._index = PairIndex(who, sieve, self.behind)
        self.mismatches: set[tuple[str, str]] = set()
        self.misdelivered: dict[str, dict[str, tuple[float, str]]] = {}
        self._who_answered: dict[str, dict[tuple[str, str], Observation]] = {}
        self.speeds: list[Speed] = []
        self.sizes: dict[tuple[str, str], tuple[int, Fault]] = {}
        self.sent = [0] * len(ages.edges)
        self.lost = [0] * len(ages.edges)

    def near(self, words: Collection[str]) -> list[Cell]:
        """See `Reserve`."""
        return self.make(self._index.near(words))

    def everything(self) -> None:
        """See `Reserve`."""
        self.make(self.sieve.pairs())

    def passing(self, part: str, subject: str) -> tuple[float, float]:
        """See `Reserve`."""
        return self.sieve.passing(part, subject)

    def make(self, pairs: Iterable[Pair]) -> list[Cell]:
        """Makes the cells of these pairs, unless they are made; returns the new ones."""
        for source, target in pairs:
            for edge in self.sieve.take(source, target):
                self.edge(source, edge)
        new = [cell for cell in self._new if any(cell.total)]
        self._new = []
        self.made += new
        return new

    def edge(self, source: str, edge: Edge) -> None:
        check = edge.latest.check
        if edge.bad_since is not None:
            ends = source, check.target
            began = edge.bad_since + self.who.offset(source)
            self.bad_since[ends] = min(began, self.bad_since.get(ends, began))
        if check.kind is Kind.UDP:
            self._trains(source, edge)
        elif check.kind is Kind.MTU:
            self._sizes(source, edge)
        elif check.kind is not Kind.OTHER:
            self._probes(source, edge)

    def cell(self, source: str, edge: Edge, way: Way, question: Aspect, packets: int) -> Cell:
        check = edge.latest.check
        tcp = _by_tcp(check)
        family = observed_family(edge.latest) if self.sieve.dual else 0
        key = (source, check.target, check.kind, tcp, check.path, way, question, family, check.port)
        found = self.cells.get(key)
        if found is None:
            route = Traversal(
                self.who.end(source),
                self._target(check),
                check.kind,
                check.path,
                way,
                question,
                port=check.port or _port(check),
                tcp=tcp,
                silent=check.target not in self.who.read,
                family=family,
            )
            found = self._keep(key, Cell(route, packets, len(self.ages.edges)))
        return found

    def _keep(self, key: tuple[object, ...], cell: Cell) -> Cell:
        self.cells[key] = cell
        self._new.append(cell)
        return cell

    def _target(self, check: Check) -> End:
        end = self.who.target(check.target, check.node)
        behind = self.behind.get(check.path, ()) if check.target in _OWN_SERVICES else ()
        if check.path is Path.DNS_UPSTREAM and check.address in self.sieve.dns_addresses:
            behind = self.behind[Path.DNS_SERVICE]
        return msgspec.structs.replace(end, behind=behind) if behind else end

    def unread_sources(self) -> None:
        """Counts what was recorded of the trains of members that could not be read themselves."""
        unread = self.who.expected - self.who.read.keys()
        for responder in self.who.read if unread else ():
            for source in self.logs.sources(responder) & unread:
                log = self.logs.of(responder, source)
                if log is not None:
                    self._of_unread(source, responder, log)
        self.make(())

    def _of_unread(self, source: str, responder: str, log: TrainLog) -> None:
        start, end = self.who.end(source), self.who.end(responder)
        path = Path.HOST if start.network is Network.HOST else Path.POD
        if start.node == end.node or responder not in self.who.expected:
            return
        blind, bins = self.who.blind.get(responder, []), len(self.ages.edges)
        arrivals = [
            (arrival, age_bin)
            for arrival in log.arrivals()
            if (age_bin := self._bin(arrival.at, SETTLE, blind)) is not None
        ]
        if not arrivals:
            return
        if any(age_bin < self.ages.recent for _, age_bin in arrivals):
            self.heard.add(source)
        forward = Cell(Traversal(start, end, Kind.UDP, path, Way.FORWARD, Aspect.REACH), arrivals[0][0].sent, bins)
        alive = Cell(Traversal(end, start, Kind.UDP, path, Way.BACK, Aspect.ALIVE, silent=True), 1, bins)
        for arrival, age_bin in arrivals:
            lost = arrival.sent - arrival.received
            forward.add(arrival.at, age_bin, lost > 0, arrival.sent, lost)
            alive.add(arrival.at, age_bin, False)
        self._keep((source, responder, "alive"), alive)
        lossy = sum(forward.bad) / sum(forward.total)
        if not self.sieve.dual or lossy < _ONE_OF_TWO or lossy > 1 - _ONE_OF_TWO:
            self._keep((source, responder, "unread"), forward)

    def _bin(self, at: float, settle: float, blind: list[Interval]) -> int | None:
        """The bin of that time; None where it does not count."""
        now = self.who.now
        if not now - self.ages.long < at <= now - settle or (blind and _within(at, blind)):
            return None
        return bisect_right(self.ages.edges, now - at)

    def _judged(self, source: str, edge: Edge, settle: float) -> Iterator[tuple[Trial, float, int]]:
        """The trials that count, each with its time by our clock and its bin: all of the long window, and the bad ones
        of the past."""
        target = edge.latest.check.target
        offset = self.who.offset(source)
        spans = self.who.blind[source] + self.who.blind.get(target, [])
        blind = [(since, until) for since, until in spans if until >= self.who.now - self.ages.long]
        for trial in edge.trials:
            at = trial.at + offset
            age_bin = self._bin(at, settle, blind)
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
        for minute, age_bin in self._past(source, edge):
            for trial in minute.bad:
                if trial.fault is not Fault.MISDELIVERED:
                    yield trial, trial.at + offset, age_bin

    def _elsewhere(self, source: str, edge: Edge, at: float) -> None:
        """Notes that another member answered, where that is the latest that is known of this address; it says nothing
        of the target, nor of the way to it."""
        check = edge.latest.check
        met = self._met(source).get((check.target, check.address))
        if met is not None and met.fault is Fault.MISDELIVERED:
            seen = self.misdelivered.setdefault(check.target, {})
            seen[source] = min(seen.get(source, (at, check.address)), (at, check.address))

    def _met(self, source: str) -> dict[tuple[str, str], Observation]:
        """By target and address the source's latest probe whose answer says who gave it."""
        found = self._who_answered.get(source)
        if found is None:
            found = self._who_answered[source] = {}
            for latest in (edge.latest for edge in self.who.read[source].edges):
                if latest.check.kind in _SIGNED and (latest.fault is None or latest.fault is Fault.MISDELIVERED):
                    key = latest.check.target, latest.check.address
                    if key not in found or found[key].at < latest.at:
                        found[key] = latest
        return found

    def _past(self, source: str, edge: Edge) -> Iterator[tuple[Minute, int]]:
        """The minutes of the past that count, each with its bin: those in which both ends could be trusted. Of
        members only trains tell of faint loss."""
        check = edge.latest.check
        if not edge.past or (check.target in self.who.members and check.kind is not Kind.UDP):
            return
        now, ages, offset = self.who.now, self.ages, self.who.offset(source)
        blind = self.who.blind[source] + self.who.blind.get(check.target, [])
        for minute in edge.past:
            start = minute.at + offset
            age = now - start - _MINUTE / 2
            if age > ages.memory or any(since < start + _MINUTE and until > start for since, until in blind):
                continue
            yield minute, max(ages.window, bisect_right(ages.edges, age))

    def _good_past(self, source: str, edge: Edge, cells: Iterable[Cell], sent: int) -> None:
        """Counts the trials of the past that were well, of `sent` packets each, in all these cells."""
        for minute, age_bin in self._past(source, edge):
            for cell in cells:
                cell.add_good(minute.trials - len(minute.bad), age_bin, sent)

    def _hear(self, edge: Edge, heard: int | None) -> None:
        """Notes that the target answered, in this bin of age."""
        if heard is not None and heard < self.ages.recent:
            self.heard.add(edge.latest.check.target)

    def _probes(self, source: str, edge: Edge) -> None:
        check = edge.latest.check
        tcp = _by_tcp(check)
        reach = self.cell(source, edge, Way.ROUND, Aspect.REACH, stream(check.timeout) if tcp else 1)
        answer = self.cell(source, edge, Way.ROUND, Aspect.ANSWER, 1)
        datagram = check.kind is Kind.DNS and not tcp
        named = check.kind in STREAMS and not is_literal(check.address)
        resolve = self._resolve(source, check) if named else None
        speed = self._speed(source, edge)
        lookups = Lookups()
        heard: int | None = None
        self._good_past(source, edge, [reach, answer] if resolve is None else [reach, answer, resolve], 1)
        for trial, at, age_bin in self._judged(source, edge, max(SETTLE, _settle(edge))):
            unresolved = trial.fault is Fault.UNRESOLVED
            if resolve is not None:
                if age_bin < self.ages.window:
                    lookups.add(at, unresolved)
                resolve.add(at, age_bin, unresolved)
            if unresolved:
                continue  # what stood behind the name was not tried
            silent = trial.fault in _SILENT
            refused = trial.fault is Fault.REFUSED
            if not (datagram and refused):
                reach.add(at, age_bin, silent)
            if not silent and check.kind is not Kind.ICMP:
                answer.add(at, age_bin, trial.fault is not None)
            if trial.fault is None:
                heard = age_bin
                if speed is not None:
                    speed.add(at, age_bin, trial.slow)
        if lookups.total:
            self.lookups[source, check.target] = lookups
        self._hear(edge, heard)

    def _speed(self, source: str, edge: Edge) -> Cell | None:
        """Where answers are held against the usual time; None where nothing is slow anyway, or that is not known."""
        if not (self.sieve.slowness and edge.usual):
            return None
        return self.cell(source, edge, Way.ROUND, Aspect.SPEED, 1)

    def _resolve(self, source: str, check: Check) -> Cell:
        """Look-ups of that check's name, by whichever DNS server."""
        key = (source, check.target, check.path, Aspect.RESOLVE)
        found = self.cells.get(key)
        if found is None:
            servers = End("names", behind=self.behind[Path.DNS_SERVICE])
            family = 6 if any(":" in address for address in self.sieve.dns_addresses) else 4
            route = Traversal(
                self.who.end(source),
                servers,
                Kind.DNS,
                check.path,
                Way.ROUND,
                Aspect.RESOLVE,
                family=family if self.sieve.dual else 0,
            )
            names = _NAMES.get(check.path, _MOST_NAMES)
            found = self._keep(key, Cell(route, look_up(names), len(self.ages.edges)))
        return found

    def _sizes(self, source: str, edge: Edge) -> None:
        check = edge.latest.check
        cell = self.cell(source, edge, Way.ROUND, Aspect.SIZE, BIG)
        rates: list[float] = []
        for trial, at, age_bin in self._judged(source, edge, _settle(edge)):
            if trial.fault in (None, Fault.BLACK_HOLE, Fault.TOO_BIG):
                cell.add(at, age_bin, trial.fault is not None)
                if age_bin < self.ages.recent and (trial.rate or trial.fault is None):
                    rates.append(trial.rate)
        if rates:
            self.speeds.append(Speed(source, check.target, _usual_rate(rates)))
        self._note_size(source, edge)

    def _note_size(self, source: str, edge: Edge) -> None:
        fault, check = edge.latest.fault, edge.latest.check
        if fault in (Fault.BLACK_HOLE, Fault.TOO_BIG) and edge.latest.mtu:
            self.sizes[source, check.target] = (edge.latest.mtu, fault)

    def _trains(self, source: str, edge: Edge) -> None:
        check = edge.latest.check
        size = max((trial.sent for trial in edge.trials), default=1)
        forward = self.cell(source, edge, Way.FORWARD, Aspect.REACH, size)
        back = self.cell(source, edge, Way.BACK, Aspect.REACH, size)
        both = self.cell(source, edge, Way.ROUND, Aspect.REACH, size)
        answer = self.cell(source, edge, Way.ROUND, Aspect.ANSWER, 1)
        speed = self._speed(source, edge)
        log = self.logs.of(check.target, source)
        full = self.cell(source, edge, Way.ROUND if log is None else Way.FORWARD, Aspect.SIZE, 1)
        heard: int | None = None
        self._good_past(source, edge, [both] if log is None else [forward, back], size)
        for trial, at, age_bin in self._judged(source, edge, max(SETTLE, _settle(edge))):
            sent, received = trial.sent, trial.received
            if received:
                heard = age_bin
                if speed is not None:
                    speed.add(at, age_bin, trial.slow)
            self.sent[age_bin] += sent
            self.lost[age_bin] += max(0, sent - received)
            if trial.fault is Fault.REFUSED:
                answer.add(at, age_bin, True)
                continue
            if received:
                answer.add(at, age_bin, trial.fault not in (None, Fault.TOO_BIG, *_SILENT))
            if log is None:
                self._train(both, at, age_bin, sent, received)
                whole, passed = received == sent, trial.full_received > 0
            else:
                arrived, answered = (log.arrived if age_bin < self.ages.window else log.arrived_before)(trial, at)
                self._train(forward, at, age_bin, sent, arrived)
                if answered:
                    self._train(back, at, age_bin, answered, received)
                whole, passed = arrived == sent, log.full_arrived(trial, at)
            if trial.full_sent and whole and age_bin < self.ages.window:
                full.add(at, age_bin, not passed)
        self._note_size(source, edge)
        self._hear(edge, heard)

    def _train(self, cell: Cell, at: float, age_bin: int, sent: int, arrived: int) -> None:
        """Counts one way of a train, in the past only if its loss is faint."""
        lost = sent - arrived
        if age_bin >= self.ages.window and lost > FAINT * sent:
            cell.gone_at.append(at)
        else:
            cell.add(at, age_bin, lost > 0, sent, lost)


class _Logs:
    """What responders recorded of each source's trains, read when it is asked for."""

    def __init__(self, who: Population, sieve: Sieve) -> None:
        self._who = who
        self._kept = sieve.recorded
        self._edges: dict[str, dict[str, list[Edge]]] = {}
        self._logs: dict[tuple[str, str], TrainLog] = {}

    def of(self, responder: str, source: str) -> TrainLog | None:
        """What the responder recorded of this source's trains; None where that is not known. A responder that was read
        and has no records at all received nothing, if records are kept in this mesh."""
        if responder not in self._who.read or not self._kept:
            return None
        log = self._logs.get((responder, source))
        if log is None:
            found = self._of(responder).get(source, [])
            log = self._logs[responder, source] = TrainLog(found, self._who.offset(responder))
        return log

    def sources(self, responder: str) -> Set[str]:
        """Whose trains that member recorded."""
        return self._of(responder).keys()

    def _of(self, responder: str) -> dict[str, list[Edge]]:
        edges = self._edges.get(responder)
        if edges is None:
            edges = self._edges[responder] = {}
            for edge in self._who.read[responder].edges:
                if edge.latest.side is Side.RESPONDER and edge.latest.check.kind is Kind.UDP:
                    edges.setdefault(edge.latest.check.target, []).append(edge)
        return edges


def _agents(who: Population) -> tuple[End, ...]:
    """The members behind the agents' own Service: those in the pod network that are expected."""
    return tuple(who.end(name) for name in sorted(who.expected) if who.members[name].network is Network.POD)


def _port(check: Check) -> int:
    """The port of the URL that is asked for; 0 where there is none."""
    if check.kind is not Kind.HTTP:
        return 0
    scheme, _, rest = check.request.partition("://")
    port = rest.partition("/")[0].rpartition("]")[2].rpartition(":")[2]
    return int(port) if port.isascii() and port.isdigit() and len(port) < 6 else _PORTS.get(scheme, 0)


def _usual_rate(rates: list[float]) -> float:
    """The median of what was measured, oldest first, 0 where most trains were too fast or too broken to tell. As many
    of each: the newest decides, so that a link that is fast again is not called slow for as long as the window."""
    measured = [rate for rate in rates if rate]
    most = 2 * len(measured) - len(rates)
    return median(measured) if measured and (most > 0 or (most == 0 and rates[-1])) else 0.0


def _by_tcp(check: Check) -> bool:
    return check.kind in STREAMS or (check.kind is Kind.DNS and check.request.endswith(" tcp"))


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
    sieve = Sieve(who, ages)
    collector = _Collector(who, ages, sieve)
    collector.make(sieve.suspicious())
    collector.unread_sources()
    previous = SETTLE
    for index, edge in enumerate(ages.edges[: ages.recent]):
        collector.sent[index] += round(sieve.sent * max(0.0, min(edge, ages.short) - previous) / ages.short)
        previous = max(SETTLE, edge)
    return Evidence(
        ages,
        collector.made,
        frozenset(collector.heard),
        frozenset(collector.mismatches),
        collector.speeds,
        collector.sizes,
        collector.sent,
        collector.lost,
        collector.lookups,
        collector,
        collector.misdelivered,
        collector.bad_since,
        tuple(sieve.quiet()),
        sieve.paths,
        sieve.old,
    )
