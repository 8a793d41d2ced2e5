"""Chooses which pairs of source and target are looked at: those between which something failed lately, or so often in
the past that it stands out. Of all others counts are enough, and in a big mesh nearly all pairs are such.

An edge is judged by its windows and minutes alone, which cost the same whether it has few trials or many.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator

from kubesonar.core.diagnosis.evidence import Ages
from kubesonar.core.diagnosis.joining.edge_sums import sums_lately
from kubesonar.core.diagnosis.joining.past_bursts import PastBursts
from kubesonar.core.diagnosis.joining.past_loss import Pair, PastLoss
from kubesonar.core.diagnosis.joining.quiet_pairs import PairCounts, QuietPairs
from kubesonar.core.diagnosis.joining.sifted_source import SiftedSource, SiftedSources
from kubesonar.core.diagnosis.parts.traversal import End
from kubesonar.core.diagnosis.population import Population
from kubesonar.model import Check, Edge, Kind, Path

_LEAST_SPAN = 0.4
"""Share of the short window that trials must reach back before the network may be called healthy. Less, and a mesh that
has just started is healthy; more, and that is told late."""


_TOGETHER = 3.0
"""Seconds in which edges that fail for one cause begin to: trains are some 2.5 s apart. Less, and some begin before;
more, and what failed by chance before counts as the beginning."""


class Sieve:
    """All sources together, at one time. `heard` are the targets that answered lately, and the members that were
    answered by one of the `unread`, which serve and cannot say themselves whom they hear. `quiet` counts the pairs that
    are well, `untrusted` are the members that could not be trusted lately, `recorded` says whether responders keep
    records, `dual` whether there are two address families, `slowness` whether anything is slow, `old` whether trials
    reach back far enough to judge by. `before` holds what the sources told at the last look."""

    def __init__(self, who: Population, ages: Ages, before: SiftedSources) -> None:
        self._who = who
        self._ages = ages
        self.unread = who.expected - who.read.keys()
        self.heard: set[str] = set()
        self.recorded = self.slowness = self.old = False
        self.paths = 0
        self.dns_addresses: set[str] = set()
        self.edges: dict[str, dict[str, list[Edge]]] = {}
        """By source and target: what was not taken yet."""
        self.askers: dict[str, list[str]] = {}
        self.nodes: dict[str, str] = {}
        """The nodes on which plain targets run, as far as that is known."""
        self._dns: dict[str, str] = {}
        self._loud: dict[Pair, None] = {}
        self._past = PastLoss()
        self.quiet = QuietPairs(ages)
        since = who.now - ages.edges[ages.recent - 1]
        self.untrusted = {name for name, blind in who.blind.items() if any(until > since for _, until in blind)}
        families: set[int] = set()
        for name, source in before.of(who).items():
            families.update(source.families.values(), source.named)
            self._learn(source)
            if name in who.expected:
                self._add(name, source)
        self.dual = len(families) > 1
        for word, trials, bad in self.quiet.past():
            self._past.add(word, trials, bad)

    @property
    def dns_pods(self) -> tuple[End, ...]:
        """The servers behind the DNS Service, as far as anybody asks them."""
        return tuple(self._who.target(name, node) for name, node in sorted(self._dns.items()))

    def bursts(self) -> PastBursts:
        """Return the bursts of the past that trains saw."""
        offset = self._who.offset
        lossy = self._past.lossy
        return PastBursts((each.places, at + offset(each.pair[0])) for each in lossy for at in each.burst)

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
            counts = PairCounts()
            counts.add(me, other, edges)
            self.quiet.add(me, counts, -1)
            self.quiet.sent -= self._sent(source, (edge for edge in edges if edge.latest.check.kind is Kind.UDP))
        return edges

    def waiting(self, source: str, target: str) -> list[Edge]:
        """Return the edges of that pair, none where it was taken."""
        return self.edges.get(source, {}).get(target, [])

    def suspicious(self) -> Iterable[Pair]:
        """The pairs that are looked at in any case."""
        self._loud.update(dict.fromkeys(self._past.standing_out()))
        return self._loud

    def most_began(self) -> float | None:
        """Return when most edges of the pairs that are looked at began to fail in the long window, by our clock: the
        first failure of the `_TOGETHER` seconds in which most of them failed first. None where none failed."""
        offset, oldest = self._who.offset, self._who.now - self._ages.long
        first = sorted(
            at + offset(source)
            for source, target in self.suspicious()
            for edge in self.waiting(source, target)
            if (at := _first_bad(edge, oldest - offset(source))) is not None
        )
        spans = [(bisect_right(first, at + _TOGETHER) - index, -at) for index, at in enumerate(first)]
        return -max(spans)[1] if spans else None

    def _learn(self, source: SiftedSource) -> None:
        """Note what a source tells besides its trials."""
        self.recorded = self.recorded or source.recorded
        self.slowness = self.slowness or source.slow
        for check in source.plain:
            self._plain(check)

    def _plain(self, check: Check) -> None:
        if check.node:
            self.nodes[check.target] = check.node
        if check.path is Path.DNS_POD:
            self._dns[check.target] = check.node
        elif check.path is Path.DNS_SERVICE:
            self.dns_addresses.add(check.address)

    def _add(self, name: str, source: SiftedSource) -> None:
        """Add a source that is expected."""
        self.edges[name] = dict(source.edges)
        self.paths += len(source.edges)
        self._loud.update(((name, target), None) for target in source.loud)
        for target in source.edges:
            self.askers.setdefault(target, []).append(name)
        self._hear(name, source)
        self.quiet.add(self._who.members[name], source.counts)
        self.quiet.sent += self._sent(name, source.trains)
        for word, (trials, bad) in source.plain_past.items():
            self._past.add(word, trials, bad)
        self._past.lossy += source.counts.lossy
        self.old = self.old or any(self._reaches_back(name, edges[0]) for edges in source.edges.values())

    def _hear(self, name: str, source: SiftedSource) -> None:
        """Note which targets answered that source lately; pairs of which an end is not trusted are looked at."""
        now, untrusted, heard, unread = self._who.read[name].at, self.untrusted, self.heard, self.unread
        trusted = name not in untrusted
        for target, edges in source.edges.items():
            if not trusted or target in untrusted:
                self._loud[name, target] = None
            elif (target not in heard or (name not in heard and target in unread)) and any(
                sums_lately(edge, now)[1] for edge in edges if edge.latest.check.kind is not Kind.MTU
            ):
                heard |= {target, name} if target in unread else {target}

    def _sent(self, source: str, trains: Iterable[Edge]) -> int:
        """The datagrams that the source sent by these edges in the short window."""
        now = self._who.read[source].at
        return sum(sums_lately(edge, now)[0] for edge in trains)

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


def _first_bad(edge: Edge, since: float) -> float | None:
    """Return when the first trial of an edge after that time lost something, by its source's clock."""
    return next((trial.at for trial in edge.trials if trial.at > since and trial.received < trial.sent), None)
