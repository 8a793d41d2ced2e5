"""The map as data: for each network a matrix of members by members and plain targets."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from kubesonar.core.diagnosis.evidence import Cell
from kubesonar.core.diagnosis.joining.join import Basis
from kubesonar.core.diagnosis.parts.traversal import Aspect, Way
from kubesonar.core.telemetry.ledger import window
from kubesonar.model import Edge, Kind, Member, Network, Side
from kubesonar.views.cells import CellCounts, MapWindows, Mark, PathCell

_BAD_WAY_BACK = 0.05
"""Least loss on the way back that explains failed round trips."""


class Matrix(msgspec.Struct, frozen=True):
    """One network: its members in order, the plain targets that they probe, and a cell for each probed pair. `excused`
    maps members that need not answer to the reason, `unread` those without a snapshot."""

    network: Network
    members: tuple[Member, ...]
    targets: tuple[str, ...]
    cells: tuple[PathCell, ...]
    excused: dict[str, str]
    unread: dict[str, str]


def matrices(found: Basis, networks: Iterable[Network] = (Network.POD, Network.HOST)) -> tuple[Matrix, ...]:
    """Return a matrix for each of `networks` that has members."""
    builder = _Builder(found)
    drawn = (builder.matrix(network) for network in networks)
    return tuple(matrix for matrix in drawn if matrix.members)


class _Builder:
    def __init__(self, found: Basis) -> None:
        self._who = found.who
        self._unread = found.unread
        self._edges: dict[tuple[str, str], list[Edge]] = {}
        for name, snapshot in found.who.read.items():
            for edge in snapshot.edges:
                if edge.latest.side is Side.SOURCE and edge.latest.check.target != name:
                    self._edges.setdefault((name, edge.latest.check.target), []).append(edge)
        self._reserve = found.evidence.reserve
        self._windows = MapWindows(found.evidence.ages)
        self._counts: dict[tuple[str, str], CellCounts] = {}
        self._well = {pair: kinds for pair in self._edges if (kinds := self._good_kinds(*pair))}
        self._look_closely(pair for pair in self._edges if pair not in self._well)
        for cell in found.evidence.cells:
            self._sort_in(cell)

    def matrix(self, network: Network) -> Matrix:
        members = sorted(
            (member for member in self._who.members.values() if member.network is network),
            key=lambda member: (member.zone, natural(member.name)),
        )
        names = {member.name for member in members}
        pairs = [pair for pair in self._edges if pair[0] in names]
        targets = {target for _, target in pairs} - self._who.members.keys()
        return Matrix(
            network=network,
            members=tuple(members),
            targets=tuple(sorted(targets, key=natural)),
            cells=tuple(self._cell(*pair) for pair in pairs),
            excused={name: why for name, why in self._who.excused.items() if name in names},
            unread={name: self._unread.get(name, "not asked") for name in names - self._who.read.keys()},
        )

    def _look_closely(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Have the cells made of these pairs, and of their ways back: answers are evidence about those."""
        ways = (way for source, target in pairs for way in ((source, target), (target, source)))
        self._reserve.make(way for way in ways if way in self._edges)

    def _good_kinds(self, source: str, target: str) -> set[Kind]:
        """Return the kinds of checks of a pair that is known to be well without its cells, as nearly all pairs of a
        large mesh are; none of others."""
        held = self._reserve.holds
        if not held(source, target) or ((target, source) in self._edges and not held(target, source)):
            return set()
        kinds = set(self._reserve.counted(source, target))
        return kinds if Kind.UDP in kinds or target not in self._who.members else set()

    def _sort_in(self, cell: Cell) -> None:
        """Sort evidence by the direction of its packets: answers of a target went from there to here."""
        route = cell.route
        here, there = route.source.name, route.target.name
        pair = (there, here) if route.way is Way.BACK else (here, there)
        if route.kind is not Kind.UDP or route.question is Aspect.REACH:
            self._counts.setdefault(pair, CellCounts(self._windows)).add(cell)

    def _cell(self, source: str, target: str) -> PathCell:
        edges = self._edges[source, target]
        rtt = mean_round_trip(edges, self._who.read[source].at)
        if source in self._who.excused or target in self._who.excused:
            return PathCell(source, target, Mark.EXCUSED, rtt=rtt)
        if (source, target) in self._well and self._reserve.holds(source, target):
            loss = 0.0 if Kind.UDP in self._well[source, target] else None
            return PathCell(source, target, Mark.WELL, loss, rtt)
        counts, back = self._counts.get((source, target)), self._counts.get((target, source))
        if counts is None:
            return PathCell(source, target, Mark.UNKNOWN)
        mark, loss, failing = counts.answer(back_is_bad=self._passes(counts) and not self._passes(back))
        return PathCell(source, target, mark, loss, None if mark is Mark.DEAD else rtt, failing)

    def _passes(self, counts: CellCounts | None) -> bool:
        """Whether most datagrams get through, or none are sent."""
        return counts is None or (counts.loss() or 0.0) < _BAD_WAY_BACK


def mean_round_trip(edges: Iterable[Edge], at: float) -> float | None:
    """Return the mean round trip in seconds of the first kind of check that has one (datagrams first), in the short
    window before the long one; None where there is none. The edges are those of a snapshot of that time."""
    ranked = sorted(edges, key=lambda edge: _ORDER.get(edge.latest.check.kind, len(_ORDER)))
    for edge in ranked:
        for span in (edge.short, edge.long):
            if not edge.short.observations:
                # A mirror keeps no sums over the short window, and those over the long one grow old with its report.
                span = window(edge.trials, at, span.span)
            if span.rtt_mean > 0:
                return span.rtt_mean
    return None


_ORDER = {kind: rank for rank, kind in enumerate((Kind.UDP, Kind.ICMP, Kind.TCP, Kind.TLS, Kind.HTTP, Kind.DNS))}


def natural(name: str) -> tuple[tuple[int, str], ...]:
    """Return a sort key that puts node-10 after node-9."""
    pieces: list[tuple[int, str]] = []
    digits = ""
    for char in name + "\0":
        if char.isascii() and char.isdigit() and len(digits) < 18:
            digits += char
            continue
        if digits:
            pieces.append((int(digits), ""))
            digits = ""
        pieces.append((-1, char))
    return tuple(pieces)
