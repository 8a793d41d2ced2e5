"""The choice of rows, columns and cell width for a matrix in the space of a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import Enum, auto

import msgspec

from kubesonar.model import LONGEST_NAME, clip
from kubesonar.views.matrix import Matrix
from kubesonar.views.names import fitted, member_labels, shortened, without_hashes

FIGURE = 5
"""Characters of a cell with a figure."""

HEADING_ROWS = 12
"""Most characters of a vertical heading, over cells of one character."""

LEAST_HEADING = 5
"""Least characters of a heading that is cut; with fewer, nobody knows what it stands for."""

_FEW = 60
"""Most rows of a whole matrix where the height is not limited."""

_MANY = 20
"""Members beyond which a matrix that is not shown whole is preceded by a summary of its zones."""

_AROUND = 2
"""Lines of a matrix besides rows and headings: its title and an empty line."""


class Cells(Enum):
    """The contents of cells: figures; one character each, under headings that are written across; or one character each
    side by side, under vertical headings."""

    FIGURES = auto()
    SPREAD = auto()
    DENSE = auto()


class Axis(msgspec.Struct, frozen=True):
    """Rows or columns that are shown: names, labels, and how many are `hidden`."""

    names: tuple[str, ...]
    labels: tuple[str, ...]
    hidden: int = 0

    @property
    def width(self) -> int:
        """Characters of the widest label."""
        return max(map(len, self.labels), default=0)


class Layout(msgspec.Struct, frozen=True):
    """A choice of rows and columns, and of what `cells` show. `whole`: no row or column is
    hidden. `cut`: some rows or columns with sick paths are hidden. `frame` is what the labels of members leave out of
    their names at both ends, with an ellipsis for the rest; empty where they leave out nothing there."""

    rows: Axis
    columns: Axis
    cells: Cells
    whole: bool
    cut: bool = False
    frame: str = ""

    @property
    def widths(self) -> tuple[int, ...]:
        """Characters of each column, including the space before it."""
        if self.cells is Cells.DENSE:
            return (1,) * len(self.columns.names)
        least = FIGURE if self.cells is Cells.FIGURES else 1
        return tuple(max(least, len(label)) + 1 for label in self.columns.labels)


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
        members = [member.name for member in matrix.members]
        full, targets = member_labels(matrix.members), [clip(target, LONGEST_NAME) for target in matrix.targets]
        short, fewer = shortened(full), without_hashes(targets)
        if set(short.labels) & set(fewer):
            fewer = [clip(target, LONGEST_NAME) for target in matrix.targets]
        self._frame = f"{short.before}…{short.after}" if short.before or short.after else ""
        names = [*members, *matrix.targets]
        self._full = dict(zip(names, (*full, *targets), strict=True))
        self._short = dict(zip(names, (*short.labels, *fewer), strict=True))
        self._members = {name: self._short[name] for name in members}
        self._numbers = {name: str(number) for number, name in enumerate(members, 1)}
        digits = len(str(len(members)))
        self._numbered = {name: f"{self._numbers[name]:>{digits}} {self._short[name]}" for name in members}
        self._order = {name: rank for rank, name in enumerate(names)}

    def fit(self, rows: Sequence[str], columns: Sequence[str], *, whole: bool) -> Layout | None:
        """Return a layout of all these columns and as many of these rows as fit; None where the width is too small."""
        return next(
            (
                layout
                for layout in self._layouts(rows, sorted(columns, key=self._order.__getitem__), whole)
                if layout.rows.width + (layout.cells is Cells.DENSE) + sum(layout.widths) <= self._width or not columns
            ),
            None,
        )

    def _layouts(self, rows: Sequence[str], columns: Sequence[str], whole: bool) -> Iterator[Layout]:
        """Yield layouts, each with less to read and narrower than the one before."""
        for named, headed in ((self._full, self._full), (self._full, self._short), (self._short, self._short)):
            yield self._layout(rows, columns, named, headed, whole, Cells.FIGURES)
        choices: list[tuple[dict[str, str], dict[str, str]]] = [(self._short, self._members)]
        if whole:  # each column that is headed by a number has a row with that number
            choices.append((self._numbered, self._numbers))
        else:
            choices.append((self._short, {}))
        for cells, least in ((Cells.FIGURES, FIGURE), (Cells.SPREAD, LEAST_HEADING)):
            for named, kept in choices:
                for headed in self._cut(columns, kept, least):
                    yield self._layout(rows, columns, named, headed, whole, cells)
        tall = next(self._cut(columns, {}, HEADING_ROWS, HEADING_ROWS), self._short)
        for named in (self._full, self._short):
            yield self._layout(rows, columns, named, tall, whole, Cells.DENSE)

    def _cut(
        self, names: Sequence[str], kept: Mapping[str, str], least: int, most: int = LONGEST_NAME
    ) -> Iterator[dict[str, str]]:
        """Yield distinct headings: those in `kept`, and the other short names at most as wide as `most`, then narrower
        down to `least`."""
        whole = {name: kept[name] for name in names if name in kept}
        cut = [name for name in names if name not in kept]
        longest = max((len(self._short[name]) for name in cut), default=0)
        for width in range(min(most, max(longest, least)), least - 1, -1):
            found = fitted([self._short[name] for name in cut], width)
            if found is not None and not set(found) & set(whole.values()):
                yield whole | dict(zip(cut, found, strict=True))

    def _layout(
        self,
        rows: Sequence[str],
        columns: Sequence[str],
        named: Mapping[str, str],
        headed: Mapping[str, str],
        whole: bool,
        cells: Cells,
    ) -> Layout:
        frame = "" if named is headed is self._full else self._frame
        labels = self._labels(headed, columns)
        headings = max(map(len, labels), default=0) if cells is Cells.DENSE else 1
        shown = sorted(rows[: self._room(headings + bool(frame), whole)], key=self._order.__getitem__)
        return Layout(
            Axis(tuple(shown), self._labels(named, shown), len(self._matrix.members) - len(shown)),
            Axis(tuple(columns), labels, len(self._order) - len(columns)),
            cells,
            whole,
            frame=frame,
        )

    def _labels(self, labels: Mapping[str, str], names: Sequence[str]) -> tuple[str, ...]:
        return tuple(f"({labels[name]})" if name in self._matrix.excused else labels[name] for name in names)

    def _room(self, headings: int, whole: bool) -> int:
        """Return the number of rows that fit below so many lines."""
        if self._height is None:
            return _FEW
        summary = 0 if whole else self._zones + 1
        return max(1, self._height - _AROUND - headings - summary)


def _sick(matrix: Matrix) -> tuple[list[str], list[str]]:
    """Return sources and targets of sick paths, those with most of them first."""
    sick = [cell for cell in matrix.cells if cell.sick]
    return _ranked(cell.source for cell in sick), _ranked(cell.target for cell in sick)


def _ranked(names: Iterable[str]) -> list[str]:
    return [name for name, _ in Counter(names).most_common()]
