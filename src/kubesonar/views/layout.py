"""Which rows and columns of a matrix are shown, and how, in the space there is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import msgspec

from kubesonar.views.labels import of_members, without_prefix
from kubesonar.views.matrix import Matrix

FIGURE = 5
"""Width of a figure."""

HEADING_ROWS = 12
"""Most characters of a heading written downwards, over cells of one character."""

_FEW = 60
"""Rows up to which a whole matrix is shown where the height is not limited."""

_AROUND = 3
"""Lines that a matrix has besides its rows and headings: title, what is not shown, and an empty one."""


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


def lay_out(matrix: Matrix, width: int, height: int | None) -> Layout:
    """The richest that fits: all with figures, all with a character a cell, or only what is not well, with figures,
    with characters, and at last only the worst of it. `height` None: as many rows as a person reads."""
    labels = of_members(matrix.members) | {
        name: f"({label})" for name, label in of_members(matrix.members).items() if name in matrix.excused
    }
    members = [member.name for member in matrix.members]
    tall = min(HEADING_ROWS, max(map(len, without_prefix(list(labels.values()))[1]), default=0))
    limit = _FEW if height is None else max(1, height - _AROUND - tall)
    whole = _fitted(matrix, labels, members, [*members, *matrix.targets], width, limit, whole=True)
    if whole is not None:
        return whole
    rows, columns = _sick(matrix)
    order = {name: rank for rank, name in enumerate([*members, *matrix.targets])}
    zones = len({member.zone for member in matrix.members})
    some = rows[: limit if height is None else max(1, limit - zones - 1)]
    for count in range(len(columns), -1, -1):
        chosen, across = (sorted(names, key=order.__getitem__) for names in (some, columns[:count]))
        found = _fitted(matrix, labels, chosen, across, width, limit, whole=False)
        if found is not None:
            return msgspec.structs.replace(found, cut=len(some) < len(rows) or count < len(columns))
    raise AssertionError("no columns fit into any width")


def _fitted(
    matrix: Matrix,
    labels: dict[str, str],
    rows: Sequence[str],
    columns: Sequence[str],
    width: int,
    limit: int,
    *,
    whole: bool,
) -> Layout | None:
    """A layout of exactly these, None where they do not fit."""
    if len(rows) > limit:
        return None
    hidden = len(matrix.members) - len(rows), len(matrix.members) + len(matrix.targets) - len(columns)
    full = [labels.get(name, name) for name in columns]
    prefix, short = without_prefix(full)
    side = Axis(tuple(rows), tuple(labels[name] for name in rows), "", hidden[0])
    for headings, shared in ((full, ""), (short, prefix)):
        layout = Layout(side, Axis(tuple(columns), tuple(headings), shared, hidden[1]), figures=True, whole=whole)
        if side.width + sum(layout.widths) <= width:
            return layout
    narrow = Layout(side, Axis(tuple(columns), tuple(short), prefix, hidden[1]), figures=False, whole=whole)
    fits = side.width + 1 + len(columns) <= width or not columns
    return narrow if fits else None


def _sick(matrix: Matrix) -> tuple[list[str], list[str]]:
    """Sources and targets with paths that are not well, the sickest first."""
    sick = [cell for cell in matrix.cells if cell.sick]
    return _ranked(cell.source for cell in sick), _ranked(cell.target for cell in sick)


def _ranked(names: Iterable[str]) -> list[str]:
    return [name for name, _ in Counter(names).most_common()]
