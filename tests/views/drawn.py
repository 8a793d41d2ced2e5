"""What a renderable looks like on paper of some width."""

from __future__ import annotations

import io

from rich.console import Console, RenderableType


def drawn(what: RenderableType, width: int = 80, *, colour: bool = False, wrap: bool = True) -> list[str]:
    """The lines that are printed, with ANSI sequences where `colour` is asked for."""
    paper = Console(width=width, file=io.StringIO(), color_system="standard" if colour else None, no_color=False)
    paper.print(what, soft_wrap=not wrap)
    assert isinstance(paper.file, io.StringIO)
    return paper.file.getvalue().splitlines()
