"""Reads what one source's edges say whatever the time: so that a source which told nothing new is not sifted again."""

from __future__ import annotations

from collections.abc import Mapping

from kubesonar.core.address import is_literal
from kubesonar.core.diagnosis.joining.edge_sums import lost_any, observed_family, saw_slow_link, sent_syn_again
from kubesonar.core.diagnosis.joining.past_loss import LossyPast, past_trials, words_between
from kubesonar.core.diagnosis.joining.quiet_pairs import PairCounts
from kubesonar.core.diagnosis.population import Population
from kubesonar.model import CONNECTING, Check, Edge, Kind, Member, Network, Observation, Path, Side

_SOURCE, _MTU = Side.SOURCE, Kind.MTU
_BEYOND = (Path.POD, Path.HOST, Path.LOOPBACK, Path.COLLECTOR, Path.OTHER)


class SiftedSource:
    """The edges of a source, by target, as far as they count. `loud` are the targets that are looked at in any case,
    because something failed or was slow; `slow` is whether anything was, `recorded` whether the source keeps records of
    others' trains. `counts` are of its edges to members and `trains` those of them that are trains; `plain_past` is the
    past of the others by word, as [trials, bad ones]. `families` are those of the addresses that are asked, `named`
    those by which names are, `plain` one check of each plain target and address."""

    __slots__ = (
        "counts",
        "edges",
        "families",
        "loud",
        "named",
        "plain",
        "plain_past",
        "recorded",
        "slow",
        "told",
        "trains",
    )

    def __init__(self, name: str, told: tuple[Edge, ...], who: Population) -> None:
        self.told = told
        self.edges: dict[str, list[Edge]] = {}
        self.loud: list[str] = []
        self.slow = self.recorded = False
        self.counts = PairCounts()
        self.trains: list[Edge] = []
        self.plain_past: dict[str, list[int]] = {}
        self.families: dict[str, int] = {}
        self.named: set[int] = set()
        self.plain: list[Check] = []
        for target, edges in self._by_target(who.members).items():
            if name in who.expected and _counts(name, edges[0].latest.check, who):
                self.edges[target] = edges
                self._sift(who.members[name], who.members.get(target), target, edges)

    def _by_target(self, members: Mapping[str, Member]) -> dict[str, list[Edge]]:
        """All edges of the source itself by their targets, having learned what they tell besides their trials."""
        found: dict[str, list[Edge]] = {}
        for edge in self.told:
            latest = edge.latest
            check = latest.check
            if latest.side is not _SOURCE:
                self.recorded = self.recorded or (latest.side is Side.RESPONDER and check.kind is Kind.UDP)
                continue
            edges = found.get(check.target)
            if edges is None:
                edges = found[check.target] = []
            if not edges or check.address not in self.families:
                self._learn(latest, members)
            edges.append(edge)
        return found

    def _learn(self, latest: Observation, members: Mapping[str, Member]) -> None:
        check = latest.check
        if not is_literal(check.address):
            self.named.add(latest.family)
        elif check.address not in self.families:
            self.families[check.address] = observed_family(latest)
        if check.target not in members:
            self.plain.append(check)

    def _sift(self, me: Member, other: Member | None, target: str, edges: list[Edge]) -> None:
        loud = False
        for edge in edges:
            if edge.latest.fault is not None or lost_any(edge) or (edge.trials and self._suspect(edge)):
                loud = True
        if loud:
            self.loud.append(target)
        if other is not None:
            self.counts.add(me, other, edges)
            self.trains += [edge for edge in edges if edge.latest.check.kind is Kind.UDP]
        elif any(edge.past for edge in edges):
            self._add_past(me, target, edges)

    def _suspect(self, edge: Edge) -> bool:
        """Whether that edge is to be looked at though nothing failed: something was slow, or big packets or SYNs were
        lost."""
        newest, kind = edge.trials[-1], edge.latest.check.kind
        if newest.slow:
            self.slow = True
        return (
            newest.slow
            or newest.full_received < newest.full_sent
            or (kind is _MTU and saw_slow_link(edge.trials))
            or (kind in CONNECTING and sent_syn_again(edge.trials))
        )

    def _add_past(self, me: Member, target: str, edges: list[Edge]) -> None:
        words = words_between(me, None, target)
        for edge in edges:
            past = past_trials(edge)
            for word in words:
                count = self.plain_past.setdefault(word, [0, 0])
                count[0] += past.trials
                count[1] += past.bad
            if past.bad:
                places = frozenset((me.node, target))
                self.counts.lossy.append(LossyPast((me.name, target), places, words, past.trials, past.bad))


def _counts(source: str, check: Check, who: Population) -> bool:
    """Whether anything is told by what that source asks there."""
    if check.target in who.excused:
        return False
    target = who.members.get(check.target)
    if target is None:
        return check.path not in _BEYOND
    return target.node != who.members[source].node and target.network is not Network.OTHER


class SiftedSources:
    """Keeps what sources told at the last look. Sifts again those that told something new, and all when the members,
    the place of any, or who of them is excused, have changed."""

    def __init__(self) -> None:
        self._standing: object = None
        self._kept: dict[str, SiftedSource] = {}

    def of(self, who: Population) -> dict[str, SiftedSource]:
        """Return each source that was read, sifted."""
        places = {name: (member.node, member.zone, member.network) for name, member in who.members.items()}
        standing = places, who.excused.keys()
        if standing != self._standing:
            self._kept = {}
        self._standing = standing
        self._kept = {name: self._sifted(name, snapshot.edges, who) for name, snapshot in who.read.items()}
        return self._kept

    def _sifted(self, name: str, told: tuple[Edge, ...], who: Population) -> SiftedSource:
        known = self._kept.get(name)
        return known if known is not None and known.told == told else SiftedSource(name, told, who)
