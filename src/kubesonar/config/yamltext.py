"""Reads YAML with bounds. The library is imported at the first use, so that agents without a file save its memory."""

from __future__ import annotations

from typing import Any

YAML_LIMIT = 1 << 20
"""Largest text read (characters), and largest file (bytes)."""

DEPTH_LIMIT = 32
"""Deepest nesting read (levels)."""


def read_yaml(text: str, limit: int = YAML_LIMIT) -> Any:
    """Return the plain data (dicts, lists, text, numbers, dates) of one YAML document, None for an empty one.

    Raises ValueError, with one clause that follows a name, for text that is not YAML, is too large or nested too deep,
    uses aliases (which can grow without bound) or gives one key twice.
    """
    if len(text) > limit:
        raise ValueError(f"is larger than {limit} characters")
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _check_events(yaml, yaml.parse(text, Loader=base))
        return yaml.load(text, Loader=_loader(base))
    except yaml.YAMLError as error:
        raise ValueError(f"is not YAML: {_one_line(error)}") from error


def _check_events(yaml: Any, events: Any) -> None:
    depth = 0
    for event in events:
        alias = event.anchor if isinstance(event, yaml.AliasEvent) else None
        if alias is not None:
            raise ValueError(f"uses an alias (*{alias}), which is not allowed")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEPTH_LIMIT:
            raise ValueError(f"is nested deeper than {DEPTH_LIMIT} levels")


def _loader(base: Any) -> Any:
    class OneOfEach(base):  # type: ignore[misc]
        """A safe loader that refuses a key that is given twice."""

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            seen: set[str] = set()
            for key, _ in node.value:
                if key.value in seen and isinstance(key.value, str):
                    raise ValueError(f'gives the key "{key.value}" twice (line {key.start_mark.line + 1})')
                seen.add(str(key.value))
            return super().construct_mapping(node, deep)

    return OneOfEach


def _one_line(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    place = f" (line {mark.line + 1})" if mark is not None else ""
    return " ".join(problem.split())[:120] + place
