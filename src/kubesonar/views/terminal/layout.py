"""The choice of rows, columns and cell width for a matrix in the space of a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from kubesonar.views.matrix import Matrix
from kubesonar.views.terminal.labels import of_members, without_prefix

FIGURE = 5
"""Characters of a cell with a figure."""

HEADING_ROWS = 12
"""Most characters of a vertical heading, over cells of one character."""

_FEW = 60
"""Most rows of a whole matrix where the height is not limited."""

_MANY = 20
"""Members beyond which a matrix that is not shown whole is preceded by a summary of its zones."""

_AROUND = 2
"""Lines of a matrix besides rows and headings: its title and an empty line."""


class Axis(msgspec.Struct, frozen=True):
    """Rows or columns that are shown: names, labels without their common `prefix`, and how many are `hidden`."""

    names: tuple[str, ...]
    labels: tuple[str, ...]
    prefix: str = ""
    hidden: int = 0

    @property
    def width(self) -> int:
        """Characters of the widest label."""
        return max(map(len, self.labels), default=0)


class Layout(msgspec.Struct, frozen=True):
    """A choice of rows and columns. `figures`: cells show figures, else one character. `whole`: no row or column is
    hidden. `cut`: some rows or columns with sick paths are hidden."""

    rows: Axis
    columns: Axis
    figures: bool
    whole: bool
    cut: bool = False

    @property
    def widths(self) -> tuple[int, ...]:
        """Characters of each column, including the space before it."""
        if not self.figures:
            return (1,) * len(self.columns.names)
        return tuple(max(FIGURE, len(label)) + 1 for label in self.columns.labels)


def summed_up(matrix: Matrix) -> bool:
    """Whether a matrix that is not shown whole is preceded by a summary of its zones."""
    return len(matrix.members) > _MANY


def lay_out(matrix: Matrix, width: int, height: int | None) -> Layout:
    """Return the most detailed layout that fits: the whole matrix with figures or with characters, else only what is
    sick, with figures or with characters, at last only the sickest of it. `height` None: not limited."""
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
        """Return a layout of all these columns and as many of these rows as fit; None where the width is too small."""
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
        """Return the number of rows that fit."""
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
    """Return sources and targets of sick paths, those with most of them first."""
    sick = [cell for cell in matrix.cells if cell.sick]
    return _ranked(cell.source for cell in sick), _ranked(cell.target for cell in sick)


def _ranked(names: Iterable[str]) -> list[str]:
    return [name for name, _ in Counter(names).most_common()]
