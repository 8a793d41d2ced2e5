"""One path as a cell of the map: its class of colour, its text, and what it says in words in both directions."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping

import msgspec

from kubesonar.views.cells import Mark, PathCell
from kubesonar.views.labels import duration, share

Paths = Mapping[tuple[str, str], PathCell]
"""Cells by source and target."""

ROUND_TRIPS = (100e-6, 1e-3, 10e-3, 100e-3)
"""Seconds at which the colour of a round trip changes: within a node, a rack, a region, and beyond."""

LOSSES = (0.01, 0.05, 0.2, 0.5)
"""Shares at which the colour of loss changes: TCP slows down by 1 %, and hardly anything works by 20 %."""

_MARKS = {
    Mark.WELL: "w",
    Mark.LOSSY: "l",
    Mark.PARTLY: "p",
    Mark.DEAD: "d",
    Mark.UNKNOWN: "u",
    Mark.EXCUSED: "e",
}
_SIGNS = {Mark.DEAD: "\N{MULTIPLICATION SIGN}", Mark.UNKNOWN: "?", Mark.EXCUSED: "\N{EN DASH}"}
_WELL = "\N{MIDDLE DOT}"
_KIND = 4
"""Characters of a kind of check in a cell."""


class MapCell(msgspec.Struct, frozen=True):
    """A cell as it is drawn: `look` are its classes, `text` what is in it, `title` what it means in both directions."""

    look: str
    text: str
    title: str


def map_cell(cell: PathCell, paths: Paths, names: Mapping[str, str]) -> MapCell:
    """Return the drawing of `cell`; `names` are what people call members and targets."""
    source, target = names.get(cell.source, cell.source), names.get(cell.target, cell.target)
    back = paths.get((cell.target, cell.source))
    behind = "" if back is None else f"; back: {path_words(back)}"
    return MapCell(look(cell), cell_text(cell), f"{source} \N{RIGHTWARDS ARROW} {target}: {path_words(cell)}{behind}")


def look(cell: PathCell) -> str:
    """Return the classes that say the mark, and for round trips and losses how large they are, from 0 to 4."""
    mark = _MARKS[cell.mark]
    if cell.mark is Mark.WELL and cell.rtt is not None:
        return f"{mark} r{bisect_right(ROUND_TRIPS, cell.rtt)}"
    if cell.mark is Mark.LOSSY:
        return f"{mark} l{bisect_right(LOSSES, cell.loss or 0.0)}"
    return mark


def cell_text(cell: PathCell) -> str:
    """Return at most five characters: a round trip, a loss, a kind of check that fails, or a sign."""
    if cell.mark is Mark.LOSSY and cell.loss is not None:
        return share(cell.loss)
    if cell.mark is Mark.PARTLY and cell.failing:
        return cell.failing[0][:_KIND] + ("+" if len(cell.failing) > 1 else "")
    if cell.mark is Mark.WELL and cell.rtt is not None:
        return duration(cell.rtt)
    return _SIGNS.get(cell.mark, _WELL)


def path_words(cell: PathCell) -> str:
    """Return what is known of one direction, in words."""
    trip = "" if cell.rtt is None else f", {duration(cell.rtt)}"
    match cell.mark:
        case Mark.WELL:
            return f"well{trip}"
        case Mark.LOSSY:
            return f"{share(cell.loss or 0.0)} lost{trip}"
        case Mark.PARTLY:
            return f"{', '.join(cell.failing)} fails, the rest is well{trip}"
        case Mark.DEAD:
            return "nothing gets through"
        case Mark.EXCUSED:
            return f"excused{trip}"
        case Mark.UNKNOWN:
            return "not known"
