"""The only place that reads YAML, with bounds. The library is imported at the first use, so that agents without a file
save its memory."""

from __future__ import annotations

from typing import Any

from kubesonar.core.decoding import Undecodable, decode_json
from kubesonar.model import clip

YAML_LIMIT = 1 << 20
"""Largest text read (characters), and largest file (bytes)."""

_CONSTRUCTION = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""Exceptions of PyYAML's constructors besides its own, for words that do not fit their tag: `2024-99-99`, `!!int ""`,
`!!bool x`, `!!timestamp x`, and a number of more digits than Python reads."""

DEPTH_LIMIT = 32
"""Deepest nesting read (levels)."""


def read_document(data: str | bytes) -> Any:
    """Return what a JSON or YAML document holds, as `read_yaml` does. JSON is YAML too, but an agent that reads JSON
    only saves the 3 MiB of the library for YAML."""
    try:
        return decode_json(data, object)
    except Undecodable:
        return read_yaml(data)


def read_yaml(data: str | bytes, limit: int = YAML_LIMIT) -> Any:
    """Return the plain data (dicts, lists, text, numbers, dates) of one YAML document, None for an empty one.

    Raises Undecodable, with one clause that follows a name, for data that are not UTF-8 or not YAML, are too large or
    nested too deep, use aliases (which can grow without bound), or give a key twice or one that is a list or a mapping.
    """
    if len(data) > limit:
        raise Undecodable(f"is larger than {limit} {'bytes' if isinstance(data, bytes) else 'characters'}")
    import yaml

    base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        text = data.decode() if isinstance(data, bytes) else data
        _check_events(yaml, yaml.parse(text, Loader=base))
        return yaml.load(text, Loader=_loader(base))
    except Undecodable:
        raise
    except UnicodeError as error:
        raise Undecodable(f"is not UTF-8 text{_place(error)}") from None
    except yaml.YAMLError as error:
        raise Undecodable(f"is not YAML: {_one_line(error)}") from None
    except _CONSTRUCTION as error:
        raise Undecodable(f"has a value that cannot be read: {clip(str(error), 80)}") from None


def _check_events(yaml: Any, events: Any) -> None:
    depth = 0
    for event in events:
        if isinstance(event, yaml.ScalarEvent):
            event.value.encode()  # "\ud800" is half a character, which no other format holds
        alias = event.anchor if isinstance(event, yaml.AliasEvent) else None
        if alias is not None:
            raise Undecodable(f"uses an alias (*{alias}), which is not allowed")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > DEPTH_LIMIT:
            raise Undecodable(f"is nested deeper than {DEPTH_LIMIT} levels")


def _loader(base: Any) -> Any:
    class OneOfEach(base):  # type: ignore[misc]
        """A safe loader that refuses a key that is given twice, or that is no scalar."""

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            seen: set[str] = set()
            for key, _ in node.value if node.id == "mapping" else ():
                line = f"(line {key.start_mark.line + 1})"
                if key.id != "scalar":
                    raise Undecodable(f"has a {key.id} as a key {line}")
                if key.value in seen:
                    raise Undecodable(f'gives the key "{key.value}" twice {line}')
                seen.add(key.value)
            return super().construct_mapping(node, deep)

    return OneOfEach


def _place(error: UnicodeError) -> str:
    return f" (byte {error.start})" if isinstance(error, UnicodeDecodeError) else ""


def _one_line(error: Exception) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error)
    place = f" (line {mark.line + 1})" if mark is not None else ""
    return " ".join(problem.split())[:120] + place
