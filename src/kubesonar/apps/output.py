"""Where people's commands print."""

from __future__ import annotations

import io
import re
import sys
from enum import StrEnum
from pathlib import Path

from rich.console import Console, RenderableType

_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
_SVG_WIDTH = 100


class Color(StrEnum):
    """When to print colours. `AUTO`: on a terminal, unless NO_COLOR is set (no-color.org)."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class _Console(Console):
    def on_broken_pipe(self) -> None:
        """Leaves it to `cli.main` that the reader went away: Rich would end with 1, which says "bad" of the network.
        Called while the BrokenPipeError is being handled."""
        raise


def console(color: Color = Color.AUTO) -> Console:
    """Standard output. What its encoding does not know becomes "?", where the locale is none of today."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    if color is Color.NEVER:
        return _Console(color_system=None, highlight=False)
    if color is Color.ALWAYS:
        return _Console(color_system="standard" if not sys.stdout.isatty() else "auto", no_color=False, highlight=False)
    return _Console(highlight=False)


def print_to(to: Console, what: RenderableType) -> None:
    """Prints; on a terminal long lines wrap, elsewhere a line stays a line, for those who grep."""
    to.print(what, soft_wrap=not to.is_terminal)


def write_json(document: bytes) -> None:
    """Prints a document."""
    sys.stdout.write(document.decode() + "\n")


def write_svg(what: RenderableType, path: Path) -> None:
    """A picture of `what` as a terminal shows it, with whatever fonts the viewer has: it fetches nothing."""
    paper = Console(record=True, width=_SVG_WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    paper.print(what)
    path.write_text(_FONTS.sub("", paper.export_svg(title="kubesonar")), encoding="utf-8")
