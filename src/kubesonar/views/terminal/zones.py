"""A summary of a matrix by zones, for one that is too large to be shown whole."""

from __future__ import annotations

from collections.abc import Iterator

from rich.text import Text

from kubesonar.model import clip
from kubesonar.views.matrix import Matrix
from kubesonar.views.terminal.labels import share

_ROOM = 17
_LABEL = 15


class _Sum:
    def __init__(self) -> None:
        self.paths = 0
        self.sick = 0
        self.losses: list[float] = []


def zone_lines(matrix: Matrix, width: int) -> Iterator[Text]:
    """Yield lines with sick paths, all paths and the mean loss from zone to zone; none with one zone or too little
    width."""
    zones = {member.name: clip(member.zone or "no zone", _LABEL) for member in matrix.members}
    names = sorted(set(zones.values()))
    if len(names) < 2 or len(names) > (width - _LABEL) // _ROOM:
        return
    sums = _sums(matrix, zones)
    yield Text.assemble(("zone > zone".ljust(_LABEL), "dim"), *(name.rjust(_ROOM) for name in names))
    for source in names:
        line = Text(source.ljust(_LABEL))
        for target in names:
            line.append(*_figure(sums.get((source, target))))
        yield line


def _sums(matrix: Matrix, zones: dict[str, str]) -> dict[tuple[str, str], _Sum]:
    sums: dict[tuple[str, str], _Sum] = {}
    for cell in matrix.cells:
        if cell.target in zones:
            found = sums.setdefault((zones[cell.source], zones[cell.target]), _Sum())
            found.paths += 1
            found.sick += cell.sick
            if cell.loss is not None:
                found.losses.append(cell.loss)
    return sums


def _figure(found: _Sum | None) -> tuple[str, str]:
    if found is None:
        return " " * _ROOM, ""
    loss = share(sum(found.losses) / len(found.losses)) if found.losses else "?"
    return f"{found.sick}/{found.paths} {loss}".rjust(_ROOM), "bold red" if found.sick else "green"
