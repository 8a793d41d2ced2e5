"""Which rows and columns of a matrix are shown, and how, in the space there is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from kubesonar.views.matrix import Matrix
from kubesonar.views.terminal.labels import of_members, without_prefix

FIGURE = 5
"""Width of a figure."""

HEADING_ROWS = 12
"""Most characters of a heading written downwards, over cells of one character."""

_FEW = 60
"""Rows up to which a whole matrix is shown where the height is not limited."""

_MANY = 20

_AROUND = 2
"""Lines that a matrix has besides rows and headings: its title, and an empty one."""


class Axis(msgspec.Struct, frozen=True):
    """Rows or columns: names, the label of each, what all labels begin with, and how many were left out."""

    names: tuple[str, ...]
    labels: tuple[str, ...]
    prefix: str = ""
    hidden: int = 0

    @property
    def width(self) -> int:
        """Characters of the widest label."""
        return max(map(len, self.labels), default=0)


class Layout(msgspec.Struct, frozen=True):
    """`figures`: cells have figures; else one character. `whole`: no row or column was left out. `cut`: not even all
    that have something sick are there."""

    rows: Axis
    columns: Axis
    figures: bool
    whole: bool
    cut: bool = False

    @property
    def widths(self) -> tuple[int, ...]:
        """Characters of each column, with the space before it."""
        if not self.figures:
            return (1,) * len(self.columns.names)
        return tuple(max(FIGURE, len(label)) + 1 for label in self.columns.labels)


def summed_up(matrix: Matrix) -> bool:
    """Whether a sum by zones is worth its lines where the matrix is not shown whole."""
    return len(matrix.members) > _MANY


def lay_out(matrix: Matrix, width: int, height: int | None) -> Layout:
    """The richest that fits: all with figures, all with a character a cell, or only what is not well, with figures,
    with characters, and at last only the worst of it. `height` None: as many rows as a person reads."""
    fitter = _Fitter(matrix, width, height)
    members = [member.name for member in matrix.members]
    whole = fitter.fit(members, [*members, *matrix.targets], whole=True)
    if whole is not None and len(whole.rows.names) == len(members):
        return whole
    rows, columns = _sick(matrix)
    for count in range(len(columns), -1, -1):
        found = fitter.fit(rows, columns[:count], whole=False)
        if found is not None:
            return msgspec.structs.replace(found, cut=len(found.rows.names) < len(rows) or count < len(columns))
    raise AssertionError("no columns fit into any width")


class _Fitter:
    def __init__(self, matrix: Matrix, width: int, height: int | None) -> None:
        self._matrix = matrix
        self._width = width
        self._height = height
        self._zones = len({member.zone for member in matrix.members}) + 1 if summed_up(matrix) else 0
        names = of_members(matrix.members)
        self._labels = {name: f"({label})" if name in matrix.excused else label for name, label in names.items()}
        self._order = {name: rank for rank, name in enumerate([*names, *matrix.targets])}

    def fit(self, rows: Sequence[str], columns: Sequence[str], *, whole: bool) -> Layout | None:
        """A layout of these columns and as many of these rows as the height allows; None where the width does not."""
        full = [self._labels.get(name, name) for name in sorted(columns, key=self._order.__getitem__)]
        prefix, short = without_prefix(full)
        tall = min(HEADING_ROWS, max(map(len, short), default=0))
        for labels, shared, figures in ((full, "", True), (short, prefix, True), (short, prefix, False)):
            kept = rows[: self._room(1 if figures else tall, whole)]
            layout = Layout(self._rows(kept), self._columns(columns, labels, shared), figures, whole)
            margin = layout.rows.width + (0 if figures else 1)
            if margin + sum(layout.widths) <= self._width or not columns:
                return layout
        return None

    def _room(self, headings: int, whole: bool) -> int:
        """How many rows there is room for."""
        if self._height is None:
            return _FEW
        summary = 0 if whole else self._zones + 1
        return max(1, self._height - _AROUND - headings - summary)

    def _rows(self, names: Sequence[str]) -> Axis:
        names = sorted(names, key=self._order.__getitem__)
        return Axis(tuple(names), tuple(self._labels[n] for n in names), "", len(self._matrix.members) - len(names))

    def _columns(self, names: Sequence[str], labels: Sequence[str], prefix: str) -> Axis:
        names = sorted(names, key=self._order.__getitem__)
        return Axis(tuple(names), tuple(labels), prefix, len(self._order) - len(names))


def _sick(matrix: Matrix) -> tuple[list[str], list[str]]:
    """Sources and targets with paths that are not well, the sickest first."""
    sick = [cell for cell in matrix.cells if cell.sick]
    return _ranked(cell.source for cell in sick), _ranked(cell.target for cell in sick)


def _ranked(names: Iterable[str]) -> list[str]:
    return [name for name, _ in Counter(names).most_common()]
