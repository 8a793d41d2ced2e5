"""Names short enough for a table, round trips and shares in five characters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from kubesonar.model import Member, clip

_SEPARATORS = "-./_:"
_LONGEST = 24


def of_members(members: Sequence[Member]) -> dict[str, str]:
    """A label for each member's name: its node, where only one of `members` is on it."""
    nodes = Counter(member.node for member in members)
    return {member.name: clip(member.node if nodes[member.node] == 1 else member.name, _LONGEST) for member in members}


def without_prefix(labels: Sequence[str]) -> tuple[str, list[str]]:
    """What all labels begin with, up to a separator, and their rests."""
    if len(labels) < 2:
        return "", list(labels)
    first, last = min(labels), max(labels)
    same = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    while same and (first[same - 1] not in _SEPARATORS or any(len(label) <= same for label in labels)):
        same -= 1
    return first[:same], [label[same:] for label in labels]


def duration(seconds: float) -> str:
    """At most five characters: "82µs", "1.2ms", "120ms", "2.5s"."""
    if seconds < 0.9995e-3:
        return f"{seconds * 1e6:.0f}µs"
    if seconds < 0.9995:
        return f"{seconds * 1e3:.1f}ms" if seconds < 9.95e-3 else f"{seconds * 1e3:.0f}ms"
    return f"{seconds:.1f}s" if seconds < 99.95 else f"{min(seconds, 9999):.0f}s"


def share(part: float) -> str:
    """At most four characters: "<1%", "12%"; never "0%" or "100%" of what is neither."""
    if part <= 0 or part >= 1:
        return "0%" if part <= 0 else "100%"
    return "<1%" if part < 0.01 else f"{min(99, round(100 * part))}%"
