"""One finding in full: who saw what, which explanation was preferred to which, what depends on it, what confirms it."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.text import Text

from kubesonar.model import Finding
from kubesonar.views.terminal.verdict import TextLine, TimeOfDay, points, title

_KNOWN = (
    ("for", "evidence", "red"),
    ("against", "against", "green"),
    ("seen by", "observers", ""),
    ("or else", "alike", "yellow"),
    ("rather than", "rivals", "green"),
    ("therefore", "because", ""),
)


def explanation(finding: Finding, clock: TimeOfDay) -> RenderableType:
    """Render the finding with its reasoning."""
    lines: list[RenderableType] = [
        TextLine("", finding.sentence, "bold red"),
        TextLine("", title(finding, clock), "bold"),
    ]
    for label, field, style in _KNOWN:
        lines += points(label, getattr(finding, field), style)
    if finding.confirm:
        lines += [Text(""), TextLine("  confirm with  ", finding.confirm)]
    return Group(*lines)
