"""Which pairs of source and target are looked at: those between which something failed lately, or so often in the past
that it stands out. Of all others counts are enough, and in a big mesh nearly all pairs are such.

An edge is judged by its windows and minutes alone, which cost the same whether it has few trials or many.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from statistics import median
from typing import NamedTuple

from kubesonar.core.address import family_of, is_literal
from kubesonar.core.diagnosis.evidence import Ages, Quiet
from kubesonar.core.diagnosis.inference.background import BACKGROUND
from kubesonar.core.diagnosis.inference.slow_links import SLOW
from kubesonar.core.diagnosis.inference.trial_model import stream
from kubesonar.core.diagnosis.inference.upper_bound import best_gain
from kubesonar.core.diagnosis.parts.traversal import End
from kubesonar.core.diagnosis.population import Population
from kubesonar.model import Check, Edge, Kind, Member, Network, Observation, Path, Side, Trial

Pair = tuple[str, str]
"""A source and a target, by their names."""

_SOURCE, _MTU = Side.SOURCE, Kind.MTU
STREAMS = frozenset({Kind.TCP, Kind.HTTP, Kind.TLS})
_BEYOND = (Path.POD, Path.HOST, Path.LOOPBACK, Path.COLLECTOR, Path.OTHER)
STANDING_OUT = 12.0
"""What loss in the past must explain at least (nats) to be looked at. Higher, and faint loss is passed over that the
best onset would make a finding of; lower, and chance is looked at for nothing."""

_LEAST_SPAN = 0.4
"""Share of the short window that trials must reach back before the network may be called healthy. Less, and a mesh that
has just started is healthy; more, and that is told late."""

_SIZED = 4
"""Newest trials of big packets among which a slow one is looked for. Fewer, and a link whose rate is not told each time
is not seen; more, and one that is fast again is looked at for longer."""


class _Count:
    __slots__ = ("bad", "total")

    def __init__(self) -> None:
        self.total = self.bad = 0

    def add(self, total: int, bad: int) -> None:
        self.total += total
        self.bad += bad

    def most(self, usual: float) -> float:
        """The most that any rate of loss explains of it (nats)."""
        return best_gain(self.bad, usual * self.total)


class _Sums(NamedTuple):
    """Of an edge: whether any trial was bad or told nothing, how many trials there were, and what was sent and received
    in the short window."""

    bad: bool
    trials: int
    sent: int
    received: int


def _sums(edge: Edge, now: float) -> _Sums:
    """What the windows say; where they have no sums, as in reports, what the trials say."""
    long, short, trials = edge.long, edge.short, edge.trials
    if long.observations or not trials:
        bad = long.failed > 0 or long.unknown > 0 or long.received < long.sent
        return _Sums(bad, long.observations, short.sent, short.received)
    bad, sent, received, since = False, 0, 0, now - short.span
    for trial in trials:
        if trial.fault is not None or trial.received < trial.sent:
            bad = True
        if since <= trial.at <= now:
            sent += trial.sent
            received += trial.received
    return _Sums(bad, len(trials), sent, received)


class _Found:
    """The edges of one pair; `far` is whether they go to another zone, None where the target is no member."""

    __slots__ = ("edges", "far")

    def __init__(self, far: bool | None) -> None:
        self.far = far
        self.edges: list[Edge] = []


class Sieve:
    """One look at every edge. `heard` are the targets that answered lately, `sent` the datagrams of quiet pairs in the
    short window, `recorded` says whether responders keep records, `dual` whether there are two address families,
    `slowness` whether anything is slow, `old` whether trials reach back far enough to judge by."""

    def __init__(self, who: Population, ages: Ages) -> None:
        self._who = who
        self._ages = ages
        self.heard: set[str] = set()
        self.sent = 0
        self.recorded = self.slowness = self.old = False
        self.paths = 0
        self.dns_addresses: set[str] = set()
        self.edges: dict[str, dict[str, list[Edge]]] = {}
        """By source and target: what was not taken yet."""
        self.askers: dict[str, list[str]] = {}
        self.nodes: dict[str, str] = {}
        """Where plain targets run, as far as that is known."""
        self._families: dict[str, int] = {}
        self._named: set[int] = set()
        self._dns: dict[str, str] = {}
        self._loud: dict[Pair, None] = {}
        self._faint: list[tuple[Pair, int, int]] = []
        self._past: dict[str, _Count] = {}
        self._flows: dict[tuple[str, bool], list[int]] = {}
        """By word, and by whether it is the host network: trains lately and in the past."""
        self._quiet: dict[tuple[bool, bool], dict[int, list[int]]] = {
            (host, far): {} for host in (False, True) for far in (False, True)
        }
        """By whether it is the host network, and goes to another zone: by packets the pairs, their trials, and the
        datagrams of a train."""
        since = who.now - ages.edges[ages.recent - 1]
        self._untrusted = {name for name, blind in who.blind.items() if any(until > since for _, until in blind)}
        for name in who.read:
            self._sift(name)
        self.dual = len({*self._families.values()} | self._named) > 1

    @property
    def dns_pods(self) -> tuple[End, ...]:
        """The servers behind the DNS Service, as far as anybody asks them."""
        return tuple(self._who.target(name, node) for name, node in sorted(self._dns.items()))

    def pairs(self) -> Iterator[Pair]:
        """All pairs that were not taken yet."""
        return ((source, target) for source, targets in self.edges.items() for target in [*targets])

    def take(self, source: str, target: str) -> list[Edge]:
        """Return the edges of that pair, once."""
        edges = self.edges.get(source, {}).pop(target, [])
        me, other = self._who.members[source], self._who.members.get(target)
        if other is not None:
            for edge in edges:
                self._tally(me, me.zone != other.zone, edge, _sums(edge, self._who.read[source].at), -1)
        return edges

    def suspicious(self) -> Iterable[Pair]:
        """The pairs that are looked at in any case."""
        usual = self._usual()
        standing = {word for word, count in self._past.items() if count.most(usual) > STANDING_OUT}
        between: dict[frozenset[str], _Count] = {}
        for pair, total, bad in self._faint:
            between.setdefault(self._places(pair), _Count()).add(total, bad)
        for pair, _, _ in self._faint:
            if between[self._places(pair)].most(usual) > STANDING_OUT or standing.intersection(self._words(pair)):
                self._loud[pair] = None
        return self._loud

    def passing(self, part: str, subject: str) -> tuple[float, float]:
        """See `Reserve`."""
        hosts = [host for host in (False, True) if part in _PASSED or (part in _PASSED_POD and not host)]
        words = [subject, ">".join(reversed(subject.split(">")))] if part.startswith("zone_pair") else [subject]
        flows = [self._flows.get((word, host), (0, 0)) for word in words for host in hosts]
        recent, past = sum(flow[0] for flow in flows), sum(flow[1] for flow in flows)
        return recent / self._ages.long, past / (self._ages.memory - self._ages.long)

    def quiet(self) -> Iterator[Quiet]:
        """What was counted of the pairs that were not taken."""
        for (host, far), groups in self._quiet.items():
            network = Network.HOST if host else Network.POD
            for packets, (pairs, trials, size) in groups.items():
                if pairs > 0 and trials > 0:
                    ways = 2 if not packets and self.recorded else 1
                    yield Quiet(size, network, ways == 1, far, ways * pairs, ways * trials)

    def _sift(self, name: str) -> None:
        who, snapshot = self._who, self._who.read[name]
        if name not in who.expected:
            for edge in snapshot.edges:
                self._learn(edge.latest)
            return
        me, heard, addresses = who.members[name], self.heard, self._families
        doubted = self._untrusted if name not in self._untrusted else None
        now = snapshot.at
        own: dict[str, _Found | None] = {}
        for edge in snapshot.edges:
            latest = edge.latest
            check = latest.check
            target = check.target
            if latest.side is not _SOURCE or target not in own:
                self._learn(latest)
                if latest.side is not _SOURCE:
                    continue
                own[target] = self._found(me, check)
            elif check.address not in addresses:
                self._learn(latest)
            found = own[target]
            if found is None:
                continue
            found.edges.append(edge)
            sums = _sums(edge, now)
            if latest.fault is not None or sums.bad or self._suspect(edge, check.kind):
                self._loud[name, target] = None
            if found.far is not None:
                self._tally(me, found.far, edge, sums, 1)
            elif edge.past:
                self._remember((name, target), self._words((name, target)), edge)
            if doubted is not None and sums.received and target not in doubted and check.kind is not _MTU:
                heard.add(target)
        self._settle(name, {target: found.edges for target, found in own.items() if found is not None})

    def _settle(self, name: str, found: dict[str, list[Edge]]) -> None:
        """Keep the pairs of that source."""
        self.edges[name] = found
        self.paths += len(found)
        for target in found:
            self.askers.setdefault(target, []).append(name)
            if name in self._untrusted or target in self._untrusted:
                self._loud[name, target] = None
        self.old = self.old or any(self._reaches_back(name, edges[0]) for edges in found.values())

    def _learn(self, latest: Observation) -> None:
        """Note what an edge tells besides its trials."""
        check = latest.check
        if latest.side is not _SOURCE:
            self.recorded = self.recorded or (latest.side is Side.RESPONDER and check.kind is Kind.UDP)
            return
        if check.address not in self._families:
            self._meet(latest)
        if check.target not in self._who.members:
            self._plain(check)

    def _found(self, me: Member, check: Check) -> _Found | None:
        """A pair to be filled; None where nothing is told by what that source asks there."""
        if not self._counts(me.name, check):
            return None
        target = self._who.members.get(check.target)
        return _Found(None if target is None else me.zone != target.zone)

    def _suspect(self, edge: Edge, kind: Kind) -> bool:
        """Whether that edge is to be looked at though nothing failed: something was slow, or big packets were lost."""
        trials = edge.trials
        if not trials:
            return False
        newest = trials[-1]
        self.slowness = self.slowness or newest.slow
        return newest.slow or newest.full_received < newest.full_sent or (kind is _MTU and _slow(trials))

    def _meet(self, latest: Observation) -> None:
        if is_literal(latest.check.address):
            self._families[latest.check.address] = observed_family(latest)
        else:
            self._named.add(latest.family)

    def _plain(self, check: Check) -> None:
        if check.node:
            self.nodes[check.target] = check.node
        if check.path is Path.DNS_POD:
            self._dns[check.target] = check.node
        elif check.path is Path.DNS_SERVICE:
            self.dns_addresses.add(check.address)

    def _counts(self, source: str, check: Check) -> bool:
        """Whether anything is told by what that source asks there."""
        who = self._who
        if check.target in who.excused:
            return False
        target = who.members.get(check.target)
        if target is None:
            return check.path not in _BEYOND
        return target.node != who.members[source].node and target.network is not Network.OTHER

    def _remember(self, pair: Pair, words: Sequence[str], edge: Edge) -> int:
        """Count the past of that edge of the pair, by all that it may be held against; return its trials."""
        total = bad = 0
        for minute in edge.past:
            total += minute.trials
            bad += len(minute.bad)
        if bad:
            self._faint.append((pair, total, bad))
        for word in words:
            count = self._past.get(word)
            if count is None:
                count = self._past[word] = _Count()
            count.total += total
            count.bad += bad
        return total

    def _words(self, pair: Pair) -> tuple[str, ...]:
        """What loss between that pair is held against: nodes, zones and plain targets."""
        members = self._who.members
        source, target = members[pair[0]], members.get(pair[1])
        if target is None:
            return f"{source.node}>", pair[1]
        return source.node, target.node, f"{source.zone}>{target.zone}"

    def _places(self, pair: Pair) -> frozenset[str]:
        members = self._who.members
        target = members.get(pair[1])
        return frozenset((members[pair[0]].node, target.node if target else pair[1]))

    def _usual(self) -> float:
        shares = [count.bad / count.total for count in self._past.values() if count.total]
        return max(BACKGROUND, median(shares)) if shares else BACKGROUND

    def _tally(self, me: Member, far: bool, edge: Edge, sums: _Sums, sign: int) -> None:
        """Count the trials of an edge between members, or take them out again."""
        check = edge.latest.check
        kind = check.kind
        if kind is Kind.UDP:
            packets = 0
            self._pass_trains(me, edge, sums, sign)
        elif kind is Kind.ICMP:
            packets = 1
        elif kind not in STREAMS:
            return
        else:
            packets = stream(check.timeout)
        count = self._quiet[me.network is Network.HOST, far].get(packets)
        if count is None:
            size = max((trial.sent for trial in edge.trials), default=1) if kind is Kind.UDP else packets
            count = self._quiet[me.network is Network.HOST, far][packets] = [0, 0, size]
        count[0] += sign
        count[1] += sign * sums.trials

    def _pass_trains(self, me: Member, edge: Edge, sums: _Sums, sign: int) -> None:
        self.sent += sign * sums.sent
        pair = me.name, edge.latest.check.target
        words, host = self._words(pair), me.network is Network.HOST
        past = self._remember(pair, words, edge) if sign > 0 else sum(minute.trials for minute in edge.past)
        for word in words:
            flow = self._flows.get((word, host))
            if flow is None:
                flow = self._flows[word, host] = [0, 0]
            flow[0] += sign * sums.trials
            flow[1] += sign * past

    def _reaches_back(self, source: str, edge: Edge) -> bool:
        """Whether the oldest trial that counts is old enough. Those of the first seconds of a process do not count."""
        who, offset = self._who, self._who.offset(source)
        latest = who.now - _LEAST_SPAN * self._ages.short - offset
        blind = (*who.blind[source], *who.blind.get(edge.latest.check.target, ()))
        for trial in edge.trials:
            if trial.at > latest:
                return False
            if not any(since <= trial.at + offset <= until for since, until in blind):
                return True
        return False


_PASSED = ("node", "node_in", "node_out", "zone_pair", "zone_pair_slow")
_PASSED_POD = ("pod_network", "pod_network_in", "pod_network_out")


def _slow(trials: Sequence[Trial]) -> bool:
    """Whether any of the newest trials of big packets saw the rate of a slow link."""
    return any(0 < trial.rate < SLOW for trial in trials[-_SIZED:])


def observed_family(latest: Observation) -> int:
    """The address family that a check goes by; that of its latest observation where it asks a name."""
    address = latest.check.address
    return family_of(address) if is_literal(address) else latest.family
