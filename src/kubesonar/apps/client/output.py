"""Prints what people's commands answer: text, JSON, pictures."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Literal, TextIO, cast

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from kubesonar.model import printable
from kubesonar.runtime.streams import EscapingStream, OutputStream

_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
_SVG_WIDTH = 100
_USUAL_WIDTH = 80


class Color(StrEnum):
    """The choice whether to print colours. `AUTO`: on a terminal, unless NO_COLOR is set (no-color.org)."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class _Console(Console):
    """Escapes its texts; what it adds are the terminal's own orders."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Yield the segments of `renderable`, those of text with everything escaped but line breaks."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(_printable(segment.text), segment.style)


def console(color: Color = Color.AUTO) -> Console:
    """Return standard output. Characters that the locale's encoding does not have become "?". Where COLUMNS is 0, as
    programs without a terminal set it, lines are as wide as usual: on no width nothing would be printed."""
    out = _standard_output(color)
    if out.width < 1:
        out.width = _USUAL_WIDTH
    return out


def _standard_output(color: Color) -> Console:
    raw = sys.stdout.raw if isinstance(sys.stdout, EscapingStream) else sys.stdout
    if isinstance(raw, io.TextIOWrapper):
        raw.reconfigure(errors="replace")
    file = cast("TextIO", OutputStream(raw))
    if color is Color.NEVER:
        return _Console(file=file, color_system=None, highlight=False)
    if color is Color.ALWAYS:
        system: Literal["standard", "auto"] = "auto" if raw.isatty() else "standard"
        return _Console(file=file, color_system=system, no_color=False, highlight=False)
    return _Console(file=file, highlight=False)


def print_to(to: Console, what: RenderableType) -> None:
    """Print `what`. Long lines wrap on a terminal only, so that grep finds whole lines."""
    to.print(what, soft_wrap=not to.is_terminal)


def write_json(document: bytes) -> None:
    """Print a JSON document."""
    sys.stdout.write(document.decode() + "\n")


def write_svg(what: RenderableType, path: Path) -> None:
    """Write a picture of `what` as a terminal shows it. It uses the fonts that the viewer has and fetches none."""
    paper = _Console(record=True, width=_SVG_WIDTH, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    paper.print(what)
    path.write_text(_FONTS.sub("", paper.export_svg(title="kubesonar")), encoding="utf-8")


def _printable(text: str) -> str:
    return text if text.isprintable() else "\n".join(map(printable, text.split("\n")))
