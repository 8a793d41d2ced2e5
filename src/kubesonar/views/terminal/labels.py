"""Short texts for table cells: labels of members, durations and shares."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from kubesonar.model import Member, clip

_SEPARATORS = "-./_:"
_LONGEST = 24


def of_members(members: Sequence[Member]) -> dict[str, str]:
    """Map each member's name to a label: its node, where only one of `members` is on it, else its name."""
    nodes = Counter(member.node for member in members)
    return {member.name: clip(member.node if nodes[member.node] == 1 else member.name, _LONGEST) for member in members}


def without_prefix(labels: Sequence[str]) -> tuple[str, list[str]]:
    """Return the common beginning of all labels, up to a separator, and what follows it in each."""
    if len(labels) < 2:
        return "", list(labels)
    first, last = min(labels), max(labels)
    same = next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))
    while same and (first[same - 1] not in _SEPARATORS or any(len(label) <= same for label in labels)):
        same -= 1
    return first[:same], [label[same:] for label in labels]


def duration(seconds: float) -> str:
    """Return a duration in at most five characters: "82µs", "1.2ms", "120ms", "2.5s"."""
    if seconds < 0.9995e-3:
        return f"{seconds * 1e6:.0f}µs"
    if seconds < 0.9995:
        return f"{seconds * 1e3:.1f}ms" if seconds < 9.95e-3 else f"{seconds * 1e3:.0f}ms"
    return f"{seconds:.1f}s" if seconds < 99.95 else f"{min(seconds, 9999):.0f}s"


def share(part: float) -> str:
    """Return a share in at most four characters: "<1%", "12%"; "0%" and "100%" only where they are exact."""
    if part <= 0 or part >= 1:
        return "0%" if part <= 0 else "100%"
    return "<1%" if part < 0.01 else f"{min(99, round(100 * part))}%"
