"""One cell of the map: loss, round trip and failing kinds of checks from one end to another."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

import msgspec

from kubesonar.core.diagnosis.evidence import Ages, Cell
from kubesonar.core.diagnosis.parts.traversal import Aspect, Way
from kubesonar.model import Kind

_DEAD = 0.995
"""Least loss of a path that is shown as dead. Lower: a very lossy path is shown as dead; 1: a single stray packet keeps
a dead path alive."""

_EXPLAINS = 0.05
"""Least loss of datagrams that explains failures of other kinds of checks, so that these are not listed."""

_FAILS = 0.5
"""Least share of bad trials of a kind of check that is listed as failing."""

_FIRST_LOOK = 0.5
"""Share of the short window that is looked at first: a path that has just died is shown as dead after half of it."""

_ENOUGH = 2
"""Least trials in that first look; with one, a single lost train would show a dead path."""


class Mark(StrEnum):
    """State of a cell."""

    WELL = "well"
    LOSSY = "lossy"
    PARTLY = "partly"
    """Some kinds of checks fail, others are well."""
    DEAD = "dead"
    UNKNOWN = "unknown"
    EXCUSED = "excused"
    """One end is not expected to answer."""


class PathCell(msgspec.Struct, frozen=True):
    """The path from `source` to `target`: `loss` is the share of datagrams lost (of trials, where no datagrams are
    sent), `rtt` the mean round trip in seconds, `failing` the kinds of checks that fail."""

    source: str
    target: str
    mark: Mark
    loss: float | None = None
    rtt: float | None = None
    failing: tuple[str, ...] = ()

    @property
    def sick(self) -> bool:
        """Whether the path is lossy, partly failing or dead."""
        return self.mark in (Mark.LOSSY, Mark.PARTLY, Mark.DEAD)


_SHORT, _OLD = 0, 1


class Figure(NamedTuple):
    """A share, and the window that it comes from: `_SHORT`, or `_OLD` where the short window is empty."""

    age: int
    share: float


class CellCounts:
    """The evidence about one direction; `answer` sums it up."""

    def __init__(self) -> None:
        self._one_way: list[Cell] = []
        self._trips: list[Cell] = []
        self._kinds: dict[str, list[Cell]] = {}

    def add(self, cell: Cell) -> None:
        """Add evidence whose packets went this way, or there and back."""
        route = cell.route
        if route.kind is Kind.UDP and route.question is Aspect.REACH:
            (self._trips if route.way is Way.ROUND else self._one_way).append(cell)
        else:
            self._kinds.setdefault(_label(cell), []).append(cell)

    def answer(self, ages: Ages, *, back_is_bad: bool = False) -> tuple[Mark, float | None, tuple[str, ...]]:
        """Return mark, loss and failing kinds. `back_is_bad`: the way back loses so much that failed round trips are no
        evidence about this way."""
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
        """Return the share of datagrams lost this way; of both ways together where they cannot be told apart."""
        figure = self._datagrams(ages)
        return None if figure is None else figure.share

    def _datagrams(self, ages: Ages) -> Figure | None:
        one_way, trips = _share(self._one_way, ages), _share(self._trips, ages)
        if one_way is None or trips is None:
            return one_way or trips
        return trips if trips.age < one_way.age else one_way


def _label(cell: Cell) -> str:
    """Name the kind of check; for DNS the transport, because UDP and TCP fail separately."""
    if cell.route.kind is Kind.DNS:
        return "tcp" if cell.route.tcp else "udp"
    return cell.route.kind.value


def _trip(cells: Iterable[Cell]) -> bool:
    return any(cell.route.way is not Way.FORWARD for cell in cells)


def _worst(cells: Iterable[Cell], ages: Ages) -> Figure | None:
    """Return the greatest share of bad trials of any question: a target must be reached and answer correctly."""
    questions: dict[Aspect, list[Cell]] = {}
    for cell in cells:
        questions.setdefault(cell.route.question, []).append(cell)
    figures = [figure for group in questions.values() if (figure := _share(group, ages, trials=True)) is not None]
    newest = min((figure.age for figure in figures), default=_OLD)
    return max((figure for figure in figures if figure.age == newest), key=lambda found: found.share, default=None)


def _share(cells: Iterable[Cell], ages: Ages, *, trials: bool = False) -> Figure | None:
    """Return the share lost in the short window: in its first part where all is lost there, in the long window where
    the short one is empty. None without trials."""
    cells = list(cells)
    first = sum(edge <= _FIRST_LOOK * ages.short for edge in ages.edges)
    for age, bins, least in ((_SHORT, first, _ENOUGH), (_SHORT, ages.recent, 1), (_OLD, ages.window, 1)):
        total = sum(sum(cell.total[:bins]) for cell in cells)
        if total < least:
            continue
        sent = total if trials else sum(sum(cell.sent[:bins]) for cell in cells)
        lost = sum(sum((cell.bad if trials else cell.lost)[:bins]) for cell in cells)
        share = lost / sent if sent else 0.0
        if bins > first or share >= _DEAD:
            return Figure(age, share)
    return None
