"""Label and field selectors, as far as anybody here uses them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

Tree = dict[str, Any]

_SET = re.compile(r"(!?)\s*([^\s!=,()]+)\s*(?:(=|==|!=)\s*([^\s,()]*)|\s+(in|notin)\s+\(([^)]*)\))?\s*(?:,|$)")


def selector(labels: str, fields: str, namespace: str) -> Callable[[Tree], bool]:
    """Whether an object is in a namespace (empty: any) and fits both selectors."""
    wanted_labels, wanted_fields = _SET.findall(labels), _SET.findall(fields)

    def fits(tree: Tree) -> bool:
        meta = tree["metadata"]
        if namespace and meta.get("namespace") != namespace:
            return False
        has = meta.get("labels") or {}
        return all(_fits(has.get(want[1]), want) for want in wanted_labels) and all(
            _fits(_field(tree, want[1]), want) for want in wanted_fields
        )

    return fits


def _fits(value: str | None, want: tuple[str, ...]) -> bool:
    absent, _, operator, word, many, words = want
    if many:
        among = value in [item.strip() for item in words.split(",")]
        return among if many == "in" else not among
    if operator == "!=":
        return value != word
    if operator:
        return value == word
    return (value is None) if absent else (value is not None)


def _field(tree: Tree, path: str) -> str:
    found: Any = tree
    for part in path.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return "" if found is None else str(found)
