"""The live screen: the verdict, the map, and a status line."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from kubesonar.model import Verdict
from kubesonar.views.matrix import Matrix
from kubesonar.views.terminal.map import MapView
from kubesonar.views.terminal.verdict import TextLine, headline


class Board:
    """A renderable that fits the width and, on a terminal, the height that it is shown at."""

    def __init__(self, verdict: Verdict, matrices: Sequence[Matrix], footer: str = "") -> None:
        self._verdict = verdict
        self._matrices = matrices
        self._footer = footer

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        above = headline(self._verdict)
        taken = len(console.render_lines(above, options, pad=False)) + (3 if self._footer else 1)
        yield above
        if not self._matrices:
            return
        yield Text("")
        yield MapView(self._matrices, max(1, console.height - taken) if console.is_terminal else None)
        if self._footer:
            yield Text("")
            yield TextLine("", self._footer, "dim")
