"""Which pairs of source and target are looked at: those between which something failed lately, or so often in the past
that it stands out. Of all others counts are enough, and in a big mesh nearly all pairs are such.

An edge is judged by its windows and minutes alone, which cost the same whether it has few trials or many.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from kubesonar.core.address import is_literal
from kubesonar.core.diagnosis.evidence import Ages
from kubesonar.core.diagnosis.joining.edge_sums import observed_family, saw_slow_link, sums_of
from kubesonar.core.diagnosis.joining.past_loss import Pair, PastLoss, past_trials
from kubesonar.core.diagnosis.joining.quiet_pairs import QuietPairs
from kubesonar.core.diagnosis.parts.traversal import End
from kubesonar.core.diagnosis.population import Population
from kubesonar.model import Check, Edge, Kind, Member, Network, Observation, Path, Side

_SOURCE, _MTU = Side.SOURCE, Kind.MTU
_BEYOND = (Path.POD, Path.HOST, Path.LOOPBACK, Path.COLLECTOR, Path.OTHER)
_LEAST_SPAN = 0.4
"""Share of the short window that trials must reach back before the network may be called healthy. Less, and a mesh that
has just started is healthy; more, and that is told late."""


class _Found:
    """The edges of one pair; `far` is whether they go to another zone, None where the target is no member."""

    __slots__ = ("edges", "far")

    def __init__(self, far: bool | None) -> None:
        self.far = far
        self.edges: list[Edge] = []


class Sieve:
    """One look at every edge. `heard` are the targets that answered lately, `quiet` counts the pairs that are well,
    `recorded` says whether responders keep records, `dual` whether there are two address families, `slowness` whether
    anything is slow, `old` whether trials reach back far enough to judge by."""

    def __init__(self, who: Population, ages: Ages) -> None:
        self._who = who
        self._ages = ages
        self.heard: set[str] = set()
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
        self._past = PastLoss(who)
        self.quiet = QuietPairs(ages, self._past)
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
        if not edges:
            return edges
        me, other = self._who.members[source], self._who.members.get(target)
        if other is not None:
            for edge in edges:
                self.quiet.take(me, me.zone != other.zone, edge, sums_of(edge, self._who.read[source].at))
        return edges

    def waiting(self, source: str, target: str) -> list[Edge]:
        """Return the edges of that pair, none where it was taken."""
        return self.edges.get(source, {}).get(target, [])

    def suspicious(self) -> Iterable[Pair]:
        """The pairs that are looked at in any case."""
        self._loud.update(dict.fromkeys(self._past.standing_out()))
        return self._loud

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
            sums = sums_of(edge, now)
            if latest.fault is not None or sums.bad or self._suspect(edge, check.kind):
                self._loud[name, target] = None
            if found.far is not None:
                self.quiet.add(me, found.far, edge, sums)
            elif edge.past:
                self._past.add((name, target), self._past.words((name, target)), past_trials(edge))
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
        return newest.slow or newest.full_received < newest.full_sent or (kind is _MTU and saw_slow_link(trials))

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
