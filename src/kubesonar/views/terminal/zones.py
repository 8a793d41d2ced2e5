"""A summary of a matrix by zones, for one that is too large to be shown whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from kubesonar.model import clip
from kubesonar.views.cells import PathCell
from kubesonar.views.labels import share
from kubesonar.views.matrix import Matrix

_ROOM = 17
"""Characters of a cell."""
_LABEL = 15
"""Most characters of the name of a source's zone."""


def zone_lines(matrix: Matrix, width: int) -> Iterator[Text]:
    """Yield lines with sick paths, all paths and the mean loss from zone to zone; none with one zone or too little
    width."""
    zones = {member.name: clip(member.zone or "no zone", _LABEL) for member in matrix.members}
    names = sorted(set(zones.values()))
    if len(names) < 2 or len(names) > (width - _LABEL) // _ROOM:
        return
    cells: dict[tuple[str, str], list[PathCell]] = {}
    for cell in matrix.cells:
        if cell.target in zones:
            cells.setdefault((zones[cell.source], zones[cell.target]), []).append(cell)
    yield Text.assemble(("zone > zone".ljust(_LABEL), "dim"), *(name.rjust(_ROOM) for name in names))
    for source in names:
        line = Text(source.ljust(_LABEL))
        for target in names:
            line.append(*_figure(cells.get((source, target), [])))
        yield line


def _figure(cells: Sequence[PathCell]) -> tuple[str, str]:
    if not cells:
        return " " * _ROOM, ""
    sick, losses = sum(cell.sick for cell in cells), [cell.loss for cell in cells if cell.loss is not None]
    loss = share(sum(losses) / len(losses)) if losses else "?"
    return f"{sick}/{len(cells)} {loss}".rjust(_ROOM), "bold red" if sick else "green"
