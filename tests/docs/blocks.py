"""The command lines of the pages: those of `sh` blocks, and those of console sessions with what is printed below."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]

_BLOCK = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
_COMMENT = re.compile(r"\s+#\s.*\Z")


class DocumentedCommand(NamedTuple):
    """A command line of a page, and the lines that the page shows below it."""

    page: str
    line: str
    printed: tuple[str, ...]


def documented() -> list[DocumentedCommand]:
    """All of them, in their order."""
    return [command for page in PAGES for command in _of(page)]


def _of(page: Path) -> list[DocumentedCommand]:
    name = str(page.relative_to(ROOT))
    found: list[DocumentedCommand] = []
    for language, body in _BLOCK.findall(page.read_text()):
        text = body.replace("\\\n", " ")
        if language in ("sh", "bash"):
            lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
            found += [DocumentedCommand(name, _COMMENT.sub("", line).strip(), ()) for line in lines]
        elif language in ("console", "") and text.startswith("$ "):
            for session in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                line, *printed = session.splitlines()
                found.append(DocumentedCommand(name, _COMMENT.sub("", line).strip(), tuple(printed)))
    return found


def masked(line: str) -> str:
    """A line without its numbers, so that two runs say the same."""
    line = re.sub(r"\d+(\.\d+)?([mµn]s)?\b", "#", line)
    return " ".join(line.split())
