"""What one cell of the map says: how packets fare from one end to another, by all kinds of checks together."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

import msgspec

from kubesonar.core.diagnosis.evidence import Ages, Cell
from kubesonar.core.diagnosis.path_features import Aspect, Way
from kubesonar.model import Kind

_DEAD = 0.995
"""Loss from which on nothing is said to get through."""

_EXPLAINS = 0.05
"""Loss from which on single checks of other kinds fail by it."""

_FAILS = 0.5
"""Share of its trials from which on a kind of check is said to fail."""

_FIRST_LOOK = 0.5
"""Share of the short window in which a path that has just died shows it."""

_ENOUGH = 2
"""Trials from which on that first look counts."""


class Mark(StrEnum):
    """The one-word answer of a cell."""

    WELL = "well"
    LOSSY = "lossy"
    PARTLY = "partly"
    """Some kinds of checks get nothing through, others are well."""
    DEAD = "dead"
    UNKNOWN = "unknown"
    EXCUSED = "excused"
    """Silent, and not expected to answer."""


class PathCell(msgspec.Struct, frozen=True):
    """`loss` is the share of datagrams lost from `source` to `target` (of trials, where no datagrams are sent), `rtt`
    the mean round trip in seconds, `failing` the kinds of checks that get nothing through."""

    source: str
    target: str
    mark: Mark
    loss: float | None = None
    rtt: float | None = None
    failing: tuple[str, ...] = ()

    @property
    def sick(self) -> bool:
        """Whether a person should look at it."""
        return self.mark in (Mark.LOSSY, Mark.PARTLY, Mark.DEAD)


_SHORT, _OLD = 0, 1


class Figure(NamedTuple):
    """A share, and whether it comes from the short window (`_SHORT`) or only from the long one (`_OLD`)."""

    age: int
    share: float


class CellCounts:
    """Gathers the evidence about one direction; `answer` sums it up."""

    def __init__(self) -> None:
        self._one_way: list[Cell] = []
        self._trips: list[Cell] = []
        self._kinds: dict[str, list[Cell]] = {}

    def add(self, cell: Cell) -> None:
        """Takes in a cell whose packets went this way, or there and back."""
        route = cell.route
        if route.kind is Kind.UDP and route.question is Aspect.REACH:
            (self._trips if route.way is Way.ROUND else self._one_way).append(cell)
        else:
            self._kinds.setdefault(_label(cell), []).append(cell)

    def answer(self, ages: Ages, *, back_is_bad: bool = False) -> tuple[Mark, float | None, tuple[str, ...]]:
        """Mark, loss and failing kinds. `back_is_bad`: the way back loses so much that failed round trips say nothing
        about this way."""
        found = {kind: _worst(cells, ages) for kind, cells in self._kinds.items() if not (back_is_bad and _trip(cells))}
        udp = self._datagrams(ages)
        if udp is not None:
            found[Kind.UDP.value] = Figure(udp.age, float(udp.share >= _DEAD))
        judged = {kind: figure for kind, figure in found.items() if figure is not None}
        failing = tuple(sorted(kind for kind, figure in judged.items() if figure.share >= _FAILS))
        # A success older than the short window says nothing beside a failure within it.
        latest = min((judged[kind].age for kind in failing), default=_OLD)
        working = any(kind not in failing and figure.age <= max(latest, _SHORT) for kind, figure in judged.items())
        loss = None if udp is None else udp.share
        if loss is not None and _EXPLAINS <= loss < _DEAD:
            return Mark.LOSSY, loss, ()
        if not judged:
            return Mark.UNKNOWN, loss, ()
        if failing:
            return (Mark.PARTLY if working else Mark.DEAD), loss, failing
        return (Mark.LOSSY if loss else Mark.WELL), loss, ()

    def loss(self, ages: Ages) -> float | None:
        """The share of datagrams lost this way; of there and back where the ways cannot be told apart."""
        figure = self._datagrams(ages)
        return None if figure is None else figure.share

    def _datagrams(self, ages: Ages) -> Figure | None:
        one_way, trips = _share(self._one_way, ages), _share(self._trips, ages)
        if one_way is None or trips is None:
            return one_way or trips
        return trips if trips.age < one_way.age else one_way


def _label(cell: Cell) -> str:
    """A DNS server is asked by two transports, which fail apart."""
    if cell.route.kind is Kind.DNS:
        return "tcp" if cell.route.tcp else "udp"
    return cell.route.kind.value


def _trip(cells: Iterable[Cell]) -> bool:
    return any(cell.route.way is not Way.FORWARD for cell in cells)


def _worst(cells: Iterable[Cell], ages: Ages) -> Figure | None:
    """The greatest share of bad trials: a target must be reached, and answer rightly."""
    questions: dict[Aspect, list[Cell]] = {}
    for cell in cells:
        questions.setdefault(cell.route.question, []).append(cell)
    figures = [figure for group in questions.values() if (figure := _share(group, ages, trials=True)) is not None]
    newest = min((figure.age for figure in figures), default=_OLD)
    return max((figure for figure in figures if figure.age == newest), key=lambda found: found.share, default=None)


def _share(cells: Iterable[Cell], ages: Ages, *, trials: bool = False) -> Figure | None:
    """What was lost of what was sent in the short window; in the first look where that is all, in the long window where
    the short one is empty."""
    cells = list(cells)
    first = sum(edge <= _FIRST_LOOK * ages.short for edge in ages.edges)
    for age, bins, least in ((_SHORT, first, _ENOUGH), (_SHORT, ages.recent, 1), (_OLD, len(ages.edges), 1)):
        total = sum(sum(cell.total[:bins]) for cell in cells)
        if total < least:
            continue
        sent = total if trials else sum(sum(cell.sent[:bins]) for cell in cells)
        lost = sum(sum((cell.bad if trials else cell.lost)[:bins]) for cell in cells)
        share = lost / sent if sent else 0.0
        if bins > first or share >= _DEAD:
            return Figure(age, share)
    return None
