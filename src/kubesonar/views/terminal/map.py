"""The map at a terminal: sources as rows, targets as columns, network by network."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from kubesonar.views.cells import Mark, PathCell
from kubesonar.views.labels import duration, share
from kubesonar.views.matrix import Matrix
from kubesonar.views.terminal.layout import Cells, Layout, lay_out, summed_up
from kubesonar.views.terminal.zones import zone_lines

_HEAVY = 0.05
"""Least loss that is shown in red: TCP slows down by it."""

_STYLES = {
    Mark.WELL: "green",
    Mark.LOSSY: "yellow",
    Mark.PARTLY: "bold yellow",
    Mark.DEAD: "bold red",
    Mark.UNKNOWN: "dim",
    Mark.EXCUSED: "dim cyan",
}
_CHARACTERS = {
    Mark.WELL: "·",
    Mark.LOSSY: "%",
    Mark.PARTLY: "!",
    Mark.DEAD: "\N{MULTIPLICATION SIGN}",
    Mark.UNKNOWN: "?",
    Mark.EXCUSED: "-",
}
_MEANINGS = {
    Mark.WELL: ("82µs", "round trip, all well"),
    Mark.LOSSY: ("12%", "lost"),
    Mark.PARTLY: ("udp", "only that kind of check fails (+ more kinds)"),
    Mark.DEAD: (_CHARACTERS[Mark.DEAD], "nothing gets through"),
    Mark.UNKNOWN: ("?", "not known"),
    Mark.EXCUSED: ("(name) -", "excused"),
}
_LEGEND = 2
"""Most lines of the legend."""

_SHORTER = {
    Mark.WELL: "all well",
    Mark.LOSSY: "some is lost",
    Mark.PARTLY: "a kind of check fails",
}


class MapView:
    """A renderable that fits the width it is shown at and, where `height` is given, that many lines."""

    def __init__(self, matrices: Sequence[Matrix], height: int | None = None) -> None:
        self._matrices = matrices
        self._height = height

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        height = None if self._height is None else (self._height - _LEGEND) // max(1, len(self._matrices))
        layouts = [lay_out(matrix, options.max_width, height) for matrix in self._matrices]
        for matrix, layout in zip(self._matrices, layouts, strict=True):
            yield from _section(matrix, layout, options.max_width)
            yield Text("")
        yield _legend(self._matrices, layouts)


def _section(matrix: Matrix, layout: Layout, width: int) -> Iterator[Text]:
    yield _title(matrix)
    if not layout.whole:
        if summed_up(matrix):
            yield from zone_lines(matrix, width)
        if not layout.rows.names:
            return
    yield from _headings(layout)
    cells = {(cell.source, cell.target): cell for cell in matrix.cells}
    for name, label in zip(layout.rows.names, layout.rows.labels, strict=True):
        line = Text(label.ljust(layout.rows.width), _member_style(matrix, name))
        if layout.cells is Cells.DENSE:
            line.append(" ")
        for column, room in zip(layout.columns.names, layout.widths, strict=True):
            text, style = _figure(matrix, name, column, cells.get((name, column)), layout.cells is Cells.FIGURES)
            line.append(text.rjust(room), style)
        yield line
    if not layout.whole:
        yield Text(_rest(layout), "dim")


def _title(matrix: Matrix) -> Text:
    sick = sum(cell.sick for cell in matrix.cells)
    title = Text(no_wrap=True, overflow="ellipsis").append(f"{matrix.network.value} network", "bold")
    title.append(f"  {_count(len(matrix.members), 'member')}, ")
    title.append(f"{_count(len(matrix.cells), 'path')}, ")
    title.append(f"{sick} not well" if sick else "none sick", "bold red" if sick else "green")
    if matrix.unread:
        title.append(f", {_count(len(matrix.unread), 'member')} not read", "yellow")
    return title


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _rest(layout: Layout) -> str:
    hidden = f"{_count(layout.rows.hidden, 'row')} and {_count(layout.columns.hidden, 'column')}"
    return f"not shown: {hidden}, {'less sick or well' if layout.cut else 'all well'}"


def _headings(layout: Layout) -> Iterator[Text]:
    """Yield headings: one line over figures, vertical ones over characters; before them what the names share that are
    cut."""
    axis, margin = layout.columns, " " * layout.rows.width
    if layout.frame:
        yield Text(f"named by what differs in {layout.frame}", "dim", no_wrap=True, overflow="ellipsis")
    if layout.cells is not Cells.DENSE:
        yield Text(margin + "".join(label.rjust(room) for label, room in zip(axis.labels, layout.widths, strict=True)))
        return
    tall = max(map(len, axis.labels), default=0)
    for row in range(tall):
        yield Text(f"{margin} " + "".join(label.rjust(tall)[row] for label in axis.labels))


def _member_style(matrix: Matrix, name: str) -> str:
    if name in matrix.excused:
        return "dim cyan"
    return "yellow" if name in matrix.unread else ""


def _figure(matrix: Matrix, source: str, target: str, cell: PathCell | None, figures: bool) -> tuple[str, str]:
    if cell is None:
        unseen = source in matrix.unread and source != target and source not in matrix.excused
        return ("?", _STYLES[Mark.UNKNOWN]) if unseen else ("", "")
    style = _STYLES[cell.mark]
    if cell.mark is Mark.LOSSY and (cell.loss or 0.0) >= _HEAVY:
        style = "bold red"
    return (_words(cell) if figures else _CHARACTERS[cell.mark]), style


def _words(cell: PathCell) -> str:
    if cell.mark is Mark.LOSSY and cell.loss is not None:
        return share(cell.loss)
    if cell.mark is Mark.PARTLY:
        return cell.failing[0][:4] + ("+" if len(cell.failing) > 1 else "")
    if cell.rtt is not None and cell.mark in (Mark.WELL, Mark.EXCUSED):
        return duration(cell.rtt)
    return _CHARACTERS[cell.mark]


def _legend(matrices: Sequence[Matrix], layouts: Sequence[Layout]) -> Text:
    """Explain the marks that occur."""
    figures = all(layout.cells is Cells.FIGURES for layout in layouts)
    marks = {cell.mark for matrix in matrices for cell in matrix.cells}
    if any(matrix.unread.keys() - matrix.excused.keys() for matrix in matrices):
        marks.add(Mark.UNKNOWN)
    legend = Text("rows ask columns; ", "dim")
    for mark, (example, meaning) in _MEANINGS.items():
        if mark in marks:
            legend.append(example if figures or mark is Mark.EXCUSED else _CHARACTERS[mark], _STYLES[mark])
            legend.append(f" {meaning if figures else _SHORTER.get(mark, meaning)}; ", "dim")
    return legend.append("blank not probed", "dim")
