"""Counts the trials of edges into cells, each with what both of its ends counted.

A check is a chain: a name is resolved, packets go there and back, something answers. What failed says nothing of what
would have come after it. A train of datagrams is one trial each way, lossy or not, because losses come in bursts. Where
the responder's record of a train could be read, the two ways are told apart; where not, the trial is one round trip.
What responders recorded of a member's trains counts also where that member itself could not be read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import cached_property

from kubesonar.core.address import is_literal, url_host
from kubesonar.core.diagnosis.evidence import FAINT, SETTLE, Ages, Cell, Lookups, Speed
from kubesonar.core.diagnosis.inference.slow_links import NEWEST
from kubesonar.core.diagnosis.inference.trial_model import BIG, READING, may_be_bad_in_part, stream
from kubesonar.core.diagnosis.joining.edge_sums import packets_of_connections
from kubesonar.core.diagnosis.joining.pair_index import PairIndex
from kubesonar.core.diagnosis.joining.past_bursts import PastBursts
from kubesonar.core.diagnosis.joining.past_loss import Pair
from kubesonar.core.diagnosis.joining.quiet_pairs import STREAMS
from kubesonar.core.diagnosis.joining.route_cells import RouteCells, goes_by_tcp
from kubesonar.core.diagnosis.joining.sieve import Sieve
from kubesonar.core.diagnosis.joining.trains import TrainLog, TrainLogs
from kubesonar.core.diagnosis.joining.trial_clock import TrialClock
from kubesonar.core.diagnosis.parts.traversal import EITHER, Aspect, End, Traversal, Way
from kubesonar.core.diagnosis.population import Population
from kubesonar.model import Edge, Fault, Kind, Network, Path

_SILENT = frozenset({Fault.TIMEOUT, Fault.UNREACHABLE})

_NO_ANSWER = _SILENT | {Fault.UNRESOLVED}

_MOST_A_MINUTE = 1 << 16
"""Trials of one edge that are believed of a minute of the past. Fewer, and an agent that asks very often is counted
short; more, and one that lies by billions overruns what is counted of all."""

_ANSWERED = 0.5
"""Seconds after which what plain targets answered counts, be it right or wrong: whether they answer at all is known
only after a timeout. Shorter, and of slow answers only some count; longer, and wrong answers are told late."""


class CellMaker:
    """Makes cells of the pairs that are asked for; `made` are those that hold trials. The maker is the `Reserve` of
    the evidence."""

    def __init__(self, who: Population, ages: Ages, sieve: Sieve, *, over_network: bool = False) -> None:
        """`over_network`: whether members were read over the network that is judged."""
        nodes = {who.members[name].node for name in who.expected & who.read.keys()}
        self._readings_count = over_network and len(nodes) > 1  # a single one may be where they are read from
        self.who = who
        self.ages = ages
        self.sieve = sieve
        self.made: list[Cell] = []
        self.cells = RouteCells(who, sieve, len(ages.edges))
        self.clock = TrialClock(who, ages)
        self.logs = TrainLogs(who, sieve.recorded)
        self.bad_since: dict[tuple[str, str], float] = {}
        self.lookups: dict[tuple[str, str], Lookups] = {}
        self.heard: set[str] = set(sieve.heard)
        self._index = PairIndex(who, sieve, self.cells.behind)
        self.speeds: list[Speed] = []
        self.sizes: dict[tuple[str, str], tuple[int, Fault]] = {}
        self.refusals: dict[tuple[str, str], str] = {}
        self.sent = [0] * len(ages.edges)
        self.lost: dict[str, list[int]] = {}

    def near(self, words: Collection[str]) -> list[Cell]:
        """See `Reserve`."""
        return self.make(self._index.near(words))

    def everything(self) -> None:
        """See `Reserve`."""
        self.make(self.sieve.pairs())

    def passing(self, part: str, subject: str) -> tuple[float, float]:
        """See `Reserve`."""
        return self.sieve.quiet.passing(part, subject)

    def holds(self, source: str, target: str) -> bool:
        """See `Reserve`."""
        edges = self.sieve.waiting(source, target)
        slow = self.sieve.slowness and any(trial.slow for edge in edges for trial in edge.trials)
        return bool(edges) and not slow

    def counted(self, source: str, target: str) -> Iterator[Kind]:
        """See `Reserve`."""
        window = self.ages.window
        for edge in self.sieve.waiting(source, target):
            kind = edge.latest.check.kind
            trials = self.clock.counted(source, edge, max(SETTLE, _settle(edge)))
            if kind is not Kind.OTHER and any(age_bin < window for _, _, age_bin in trials):
                yield kind

    def make(self, pairs: Iterable[Pair]) -> list[Cell]:
        """See `Reserve`."""
        for source, target in pairs:
            for edge in self.sieve.take(source, target):
                self._edge(source, edge)
            for name in (source, target):
                self._read(name)
        new = self.cells.take_new()
        self.made += new
        return new

    def _edge(self, source: str, edge: Edge) -> None:
        check = edge.latest.check
        if edge.bad_since is not None:
            ends = source, check.target
            began = edge.bad_since + self.who.offset(source)
            self.bad_since[ends] = min(began, self.bad_since.get(ends, began))
        if check.kind is Kind.UDP:
            self._trains(source, edge)
        elif check.kind is Kind.MTU:
            self._sizes(source, edge)
        elif check.is_large:
            self._large_answers(source, edge)
        elif check.kind is not Kind.OTHER:
            self._probes(source, edge)

    def _read(self, name: str) -> None:
        """Count, once, that a member could be read just now: something gets in and out of its node."""
        key = (name, Aspect.READ)
        if self._readings_count and name in self.who.read and name in self.who.expected and key not in self.cells:
            end = self.who.end(name)
            path = Path.HOST if end.network is Network.HOST else Path.POD
            route = Traversal(End(""), end, Kind.HTTP, path, Way.ROUND, Aspect.READ, tcp=True)
            cell = self.cells.keep(key, Cell(route, READING, len(self.ages.edges)))
            cell.add_good(1, 0)

    def unread_sources(self) -> None:
        """Count what was recorded of the trains of members that could not be read themselves."""
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
            if (age_bin := self.clock.age_bin(arrival.at, SETTLE, blind)) is not None
        ]
        if not arrivals:
            return
        if any(age_bin < self.ages.recent for _, age_bin in arrivals):
            self.heard.add(source)
        family = EITHER if self.sieve.dual else 0  # responders count the trains of both families as one
        route = Traversal(start, end, Kind.UDP, path, Way.FORWARD, Aspect.REACH, family=family)
        forward = Cell(route, arrivals[0][0].sent, bins)
        alive = Cell(Traversal(end, start, Kind.UDP, path, Way.BACK, Aspect.ALIVE, silent=True), 1, bins)
        for arrival, age_bin in arrivals:
            lost = arrival.sent - arrival.received
            forward.add(arrival.at, age_bin, lost > 0, arrival.sent, lost)
            alive.add(arrival.at, age_bin, False)
        self.cells.keep((source, responder, "alive"), alive)
        self.cells.keep((source, responder, "unread"), forward)

    def _good_past(self, source: str, edge: Edge, cells: Iterable[Cell], sent: int) -> None:
        """Counts the trials of the past that were well, of `sent` packets each, in all these cells: as many at most as
        are believed of a minute, and none of one that comes with more bad ones than it had."""
        for minute, age_bin in self.clock.past(source, edge):
            for cell in cells:
                cell.add_good(max(0, min(minute.trials, _MOST_A_MINUTE) - len(minute.bad)), age_bin, sent)

    def _hear(self, source: str, edge: Edge, heard: int | None) -> None:
        """Note that the target answered, in this bin of age, and that the source is there if the target cannot say. A
        ping of one that was not trusted its kernel answered."""
        check = edge.latest.check
        itself = check.kind is not Kind.ICMP or check.target not in self.sieve.untrusted
        if heard is not None and heard < self.ages.recent and itself:
            self.heard |= {check.target, source} if check.target in self.sieve.unread else {check.target}

    def _probes(self, source: str, edge: Edge) -> None:
        check, latest = edge.latest.check, edge.latest
        if latest.fault is not None and latest.fault.accuses and latest.fault not in _NO_ANSWER and latest.detail:
            self.refusals[source, check.target] = latest.detail
        tcp = goes_by_tcp(check)
        plain = check.target not in self.who.members
        connection = stream(check.timeout) if plain else packets_of_connections(edge)
        reach = self.cells.of_check(source, edge, Way.ROUND, Aspect.REACH, connection if tcp else 1)
        answer = self.cells.of_check(source, edge, Way.ROUND, Aspect.ANSWER, 1)
        datagram = check.kind is Kind.DNS and not tcp
        named = check.kind in STREAMS and not is_literal(check.address or url_host(check.request))
        resolve = self.cells.of_lookups(source, check) if named else None
        speed = self._speed(source, edge)
        lookups = Lookups()
        heard: int | None = None
        self._good_past(source, edge, [reach, answer] if resolve is None else [reach, answer, resolve], 1)
        settled = max(SETTLE, _settle(edge))
        told = may_be_bad_in_part(reach.packets)
        for trial, at, age_bin in self.clock.counted(source, edge, _ANSWERED if plain else settled):
            silent = trial.fault in _SILENT
            if at > self.who.now - settled:
                if trial.fault not in _NO_ANSWER:
                    answer.add(at, age_bin, trial.fault is not None)
                continue
            unresolved = trial.fault is Fault.UNRESOLVED
            if (silent or unresolved) and age_bin >= self.ages.window and self._in_burst(source, reach, resolve, at):
                continue
            if resolve is not None:
                if age_bin < self.ages.window:
                    lookups.add(at, unresolved)
                resolve.add(at, age_bin, unresolved)
            if unresolved:
                continue  # what stood behind the name was not tried
            refused = trial.fault is Fault.REFUSED
            if not (datagram and refused):
                again = told and trial.seen > 1 and not silent
                reach.add(at, age_bin, silent or again, *((trial.seen, trial.seen - 1) if again else (1, 1)))
            if not silent and check.kind is not Kind.ICMP:
                answer.add(at, age_bin, trial.fault is not None)
            if trial.fault is None:
                heard = age_bin
                if speed is not None:
                    speed.add(at, age_bin, trial.slow)
        if lookups.total:
            self.lookups[source, check.target] = lookups
        self._hear(source, edge, heard)

    def _in_burst(self, source: str, reach: Cell, resolve: Cell | None, at: float) -> bool:
        """Whether trains lost more than faint loss does where that trial of the past was lost: single packets do not
        tell how much was lost."""
        ends = [reach.route.target, *reach.route.target.behind]
        ends += () if resolve is None else resolve.route.target.behind
        return self._bursts.struck(self.who.members[source].node, (end.node for end in ends), at)

    @cached_property
    def _bursts(self) -> PastBursts:
        return self.sieve.bursts()

    def _large_answers(self, source: str, edge: Edge) -> None:
        """Count whether large answers of a DNS server come, of which nothing else is asked: what the server says to the
        usual question is a check of its own."""
        reach = self.cells.of_check(source, edge, Way.ROUND, Aspect.REACH, 1)
        self._good_past(source, edge, [reach], 1)
        for trial, at, age_bin in self.clock.counted(source, edge, max(SETTLE, _settle(edge))):
            silent = trial.fault in _SILENT
            if silent and age_bin >= self.ages.window and self._in_burst(source, reach, None, at):
                continue
            if trial.fault is not Fault.REFUSED:
                reach.add(at, age_bin, silent)

    def _speed(self, source: str, edge: Edge) -> Cell | None:
        """Return the cell in which answers are held against the usual time; None where nothing is slow anyway, or that
        is not known."""
        if not (self.sieve.slowness and edge.usual):
            return None
        return self.cells.of_check(source, edge, Way.ROUND, Aspect.SPEED, 1)

    def _sizes(self, source: str, edge: Edge) -> None:
        check = edge.latest.check
        cell = self.cells.of_check(source, edge, Way.ROUND, Aspect.SIZE, BIG)
        rates: list[tuple[float, float]] = []
        settled = self.who.now - _settle(edge)
        for trial, at, age_bin in self.clock.counted(source, edge, 0.0):  # a rate is known as soon as it was measured
            if trial.fault in (None, Fault.BLACK_HOLE, Fault.TOO_BIG):
                if at <= settled:
                    cell.add(at, age_bin, trial.fault is not None)
                if age_bin < self.ages.window and (trial.rate or trial.fault is None):
                    rates.append((at, trial.rate))
        if rates:
            self.speeds.append(Speed(source, check.target, tuple(rates[-NEWEST:])))
        self._note_size(source, edge)

    def _note_size(self, source: str, edge: Edge) -> None:
        fault, check = edge.latest.fault, edge.latest.check
        if fault in (Fault.BLACK_HOLE, Fault.TOO_BIG) and edge.latest.mtu:
            self.sizes[source, check.target] = (edge.latest.mtu, fault)

    def _trains(self, source: str, edge: Edge) -> None:
        check = edge.latest.check
        size = max((trial.sent for trial in edge.trials), default=1)
        forward = self.cells.of_check(source, edge, Way.FORWARD, Aspect.REACH, size)
        back = self.cells.of_check(source, edge, Way.BACK, Aspect.REACH, size)
        both = self.cells.of_check(source, edge, Way.ROUND, Aspect.REACH, size)
        answer = self.cells.of_check(source, edge, Way.ROUND, Aspect.ANSWER, 1)
        speed = self._speed(source, edge)
        log = self.logs.of(check.target, source)
        full = self.cells.of_check(source, edge, Way.ROUND if log is None else Way.FORWARD, Aspect.SIZE, 1)
        heard: int | None = None
        self._good_past(source, edge, [both] if log is None else [forward, back], size)
        for trial, at, age_bin in self.clock.counted(source, edge, max(SETTLE, _settle(edge))):
            sent, received = trial.sent, trial.received
            if received:
                heard = age_bin
                if speed is not None:
                    speed.add(at, age_bin, trial.slow)
            self.sent[age_bin] += sent
            if received < sent:
                self.lost.setdefault(check.target, [0] * len(self.ages.edges))[age_bin] += sent - received
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
        self._hear(source, edge, heard)

    def _train(self, cell: Cell, at: float, age_bin: int, sent: int, arrived: int) -> None:
        """Counts one way of a train, in the past only if its loss is faint."""
        lost = sent - arrived
        if age_bin >= self.ages.window and lost > FAINT * sent:
            cell.gone_at.append(at)
        else:
            cell.add(at, age_bin, lost > 0, sent, lost)


def _settle(edge: Edge) -> float:
    """A failure is known only after its timeout; counting the successes that are known sooner would flatter."""
    return min(edge.latest.check.timeout, 5.0) + 0.2
