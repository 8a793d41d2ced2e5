"""One cell of the map: loss, round trip and failing kinds of checks from one end to another."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

import msgspec

from kubesonar.core.diagnosis.evidence import Ages, Cell
from kubesonar.core.diagnosis.parts.traversal import Aspect, Way
from kubesonar.model import LARGE, Kind

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


class MapWindows:
    """The windows in which the map looks for trials, one after the other: the first part of the short one, the short
    one, and the long one. `ends` are their bins of age, counted from the newest."""

    def __init__(self, ages: Ages) -> None:
        first = sum(edge <= _FIRST_LOOK * ages.short for edge in ages.edges)
        self.ends = (first, ages.recent, ages.window)


class _Sums:
    """Sums over cells in each of the windows, of packets or else of trials: how many trials there were, how many of
    these packets or trials were made, and how many of them were lost."""

    __slots__ = ("_ends", "_lost", "_packets", "_sent", "_total")

    def __init__(self, windows: MapWindows, *, packets: bool) -> None:
        self._ends = windows.ends
        self._packets = packets
        self._total = [0, 0, 0]
        self._sent = [0, 0, 0] if packets else self._total
        self._lost = [0, 0, 0]

    def add(self, cell: Cell) -> None:
        """Add the trials of a cell, each bin once."""
        self._add(self._total, cell.total)
        if self._packets:
            self._add(self._sent, cell.sent)
        if cell.bad_at:
            self._add(self._lost, cell.lost if self._packets else cell.bad)

    def share(self) -> Figure | None:
        """Return the share lost in the short window: in its first part where all is lost there, in the long window
        where the short one is empty. None without trials."""
        for window, (age, least) in enumerate(((_SHORT, _ENOUGH), (_SHORT, 1), (_OLD, 1))):
            if self._total[window] < least:
                continue
            share = self._lost[window] / self._sent[window] if self._sent[window] else 0.0
            if window or share >= _DEAD:
                return Figure(age, share)
        return None

    def _add(self, sums: list[int], bins: list[int]) -> None:
        first, recent, window = self._ends
        found = sum(bins[:first])
        sums[0] += found
        found += sum(bins[first:recent])
        sums[1] += found
        sums[2] += found + sum(bins[recent:window])


class CellCounts:
    """The evidence about one direction in these windows; `answer` sums it up."""

    def __init__(self, windows: MapWindows) -> None:
        self._windows = windows
        self._one_way = _Sums(windows, packets=True)
        self._trips = _Sums(windows, packets=True)
        self._kinds: dict[str, dict[Aspect, _Sums]] = {}
        self._round_trips: set[str] = set()

    def add(self, cell: Cell) -> None:
        """Add evidence whose packets went this way, or there and back. What came late came."""
        route = cell.route
        if route.question is Aspect.SPEED:
            return
        if route.kind is Kind.UDP and route.question is Aspect.REACH:
            sums = self._trips if route.way is Way.ROUND else self._one_way
        else:
            label = _label(cell)
            questions = self._kinds.setdefault(label, {})
            found = questions.get(route.question)
            if found is None:
                found = questions[route.question] = _Sums(self._windows, packets=False)
            sums = found
            if route.way is not Way.FORWARD:
                self._round_trips.add(label)
        sums.add(cell)

    def answer(self, *, back_is_bad: bool = False) -> tuple[Mark, float | None, tuple[str, ...]]:
        """Return mark, loss and failing kinds. `back_is_bad`: the way back loses so much that failed round trips are no
        evidence about this way."""
        found = {
            kind: _worst(questions.values())
            for kind, questions in self._kinds.items()
            if not (back_is_bad and kind in self._round_trips)
        }
        udp = self._datagrams()
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

    def loss(self) -> float | None:
        """Return the share of datagrams lost this way; of both ways together where they cannot be told apart."""
        figure = self._datagrams()
        return None if figure is None else figure.share

    def _datagrams(self) -> Figure | None:
        one_way, trips = self._one_way.share(), self._trips.share()
        if one_way is None or trips is None:
            return one_way or trips
        return trips if trips.age < one_way.age else one_way


def _label(cell: Cell) -> str:
    """Name the kind of check; for DNS the transport, because UDP, TCP and large answers fail separately."""
    if cell.route.kind is Kind.DNS:
        return LARGE if cell.route.large else "tcp" if cell.route.tcp else "udp"
    return cell.route.kind.value


def _worst(questions: Iterable[_Sums]) -> Figure | None:
    """Return the greatest share of bad trials of any question: a target must be reached and answer correctly."""
    figures = [figure for sums in questions if (figure := sums.share()) is not None]
    newest = min((figure.age for figure in figures), default=_OLD)
    return max((figure for figure in figures if figure.age == newest), key=lambda found: found.share, default=None)
