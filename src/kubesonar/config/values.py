"""Values of options: read from text, checked against their type, and described for people."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from enum import Enum
from math import isfinite
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from kubesonar.config.schema import is_duration, metas, plain_type, section_of
from kubesonar.config.yamltext import read_document
from kubesonar.core.decoding import Undecodable, convert_plain
from kubesonar.model import Open

_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)", re.ASCII)
_DURATION = re.compile(rf"(?:{_PART.pattern})+", re.ASCII)
_NOT_FINITE = frozenset({"nan", "inf", "infinity"})
_END = r"\Z"  # of a pattern; people know it as "$", after which Python lets a line break follow
_LISTS = (list, tuple, set, frozenset)


def from_text(kind: Any, texts: list[str]) -> object:
    """Return the value in the text of an environment variable or the texts of a flag. A list gathers them; else the
    last one holds.

    Raises ValueError for a list or mapping that is not well-formed YAML or JSON.
    """
    if not is_list(kind):
        return _structured(kind, texts[-1])
    found: list[object] = []
    for text in texts:
        if text.lstrip().startswith("["):
            found.extend(read_document(text))
        elif text or len(texts) > 1:
            found.append(_structured(element(kind), text))
    return found


def convert(kind: Any, raw: object, *, text: bool) -> Any:
    """Return `raw` as a value of `kind`; with `text`, numbers and booleans may be text, as in the environment.

    Raises ValueError, whose text is the place and the trouble inside a value, and empty for a plain value.
    """
    try:
        return convert_plain(_prepared(kind, raw), kind, strict=not text)
    except Undecodable as error:
        raise ValueError(_inside(str(error))) from error
    except ValueError as error:
        raise ValueError(str(error).lstrip(".")) from None


def expected(kind: Any) -> str:
    """Return what a value of this type looks like, to follow the word "expected" or to stand in a table."""
    bare = plain_type(kind)
    if (words := choices(bare)) is not None:
        return "one of " + ", ".join(words)
    if is_duration(kind):
        return "a duration (seconds, or as 250ms, 5s, 2m, 1h)" + _bounds(kind, " s")
    if is_list(kind):
        return f"a list{_lengths(kind, 'entries')}, each {expected(element(kind))}"
    if is_union(kind):
        return " or ".join(expected(arm) for arm in get_args(bare))
    if (section := section_of(kind)) is not None:
        return "a mapping with the keys " + ", ".join(section.__struct_fields__)
    return _SCALARS.get(get_origin(bare) or bare, str(bare)) + _bounds(kind) + _lengths(kind, "characters")


_SCALARS: Mapping[object, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text",
    dict: "a mapping",
    NoneType: "null",
}


def is_list(kind: Any) -> bool:
    """Return whether a type holds several values."""
    bare = plain_type(kind)
    return bare in _LISTS or get_origin(bare) in _LISTS


def is_union(kind: Any) -> bool:
    """Return whether a type is one of several."""
    return get_origin(plain_type(kind)) in (Union, UnionType)


def element(kind: Any) -> Any:
    """Return the type of a list's entries."""
    arguments = get_args(plain_type(kind))
    return arguments[0] if arguments else Any


def _structured(kind: Any, text: str) -> object:
    mapping = section_of(kind) is not None or (get_origin(plain_type(kind)) or plain_type(kind)) is dict
    return read_document(text) if mapping else text


def _prepared(kind: Any, raw: object) -> object:
    """Return `raw` with durations as numbers. Raises ValueError for an unknown word that an open enum would accept."""
    bare = plain_type(kind)
    if isinstance(raw, str):
        return _prepared_text(kind, raw)
    if isinstance(raw, float) and not isfinite(raw):
        raise ValueError("")
    if isinstance(raw, list) and is_list(kind):
        return [_prepared_at(f"[{place}]", element(kind), item) for place, item in enumerate(raw)]
    if isinstance(raw, dict) and (section := section_of(kind)) is not None:
        hints = get_type_hints(section, include_extras=True)
        return {name: _prepared_at(f".{name}", hints.get(name, Any), item) for name, item in raw.items()}
    if isinstance(raw, dict) and get_origin(bare) is dict:
        return {name: _prepared_at(f".{name}", get_args(bare)[1], item) for name, item in raw.items()}
    return raw


def _prepared_at(place: str, kind: Any, raw: object) -> object:
    """Return `_prepared(kind, raw)`; its ValueError names the place in the whole value and what is expected there."""
    try:
        return _prepared(kind, raw)
    except ValueError as error:
        raise ValueError(place + (str(error) or f": expected {expected(kind)}")) from None


def _prepared_text(kind: Any, text: str) -> object:
    for arm in _arms(kind):
        if plain_type(arm) is float and text.strip("+-").lower() in _NOT_FINITE:
            raise ValueError("")
        if is_duration(arm) and _DURATION.fullmatch(text):
            return sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
        bare = plain_type(arm)
        if isinstance(bare, type) and issubclass(bare, Open) and text not in (choices(bare) or ()):
            raise ValueError("")
    return text


def _arms(kind: Any) -> Iterator[Any]:
    if is_union(kind):
        yield from get_args(plain_type(kind))
    else:
        yield kind


def choices(bare: Any) -> list[str] | None:
    """Return the words that a type without its `Annotated` wrapping allows, None where it is no choice of words."""
    if get_origin(bare) is Literal:
        return [str(value) for value in get_args(bare)]
    if isinstance(bare, type) and issubclass(bare, Enum):
        return [str(member.value) for member in bare if not (issubclass(bare, Open) and member.name == "OTHER")]
    return None


def _bounds(kind: Any, unit: str = "") -> str:
    above, over, below, under = (_written(_limit(kind, name)) for name in ("ge", "gt", "le", "lt"))
    words = [(above, "at least"), (over, "more than"), (below, "at most"), (under, "less than")]
    if above is not None and below is not None:
        words = [(f"{above} to {below}", "from")]
    return "".join(
        f"{',' if place else ''} {word} {limit}{unit}"
        for place, (limit, word) in enumerate([(limit, word) for limit, word in words if limit is not None])
    )


def _written(limit: float | None) -> str | None:
    """Return a limit in full: 1048576, not 1.04858e+06."""
    if limit is None:
        return None
    return f"{limit:.15g}" if isinstance(limit, float) else str(limit)


def _lengths(kind: Any, what: str) -> str:
    least, most = _limit(kind, "min_length"), _limit(kind, "max_length")
    pattern = _limit(kind, "pattern")
    text = f" of at least {least} {what}" if least else ""
    text += f"{' and' if text else ' of'} at most {most} {what}" if most is not None else ""
    return text + (f" matching {pattern.replace(_END, '$')}" if pattern else "")


def _limit(kind: Any, name: str) -> Any:
    return next((limit for meta in reversed(metas(kind)) if (limit := getattr(meta, name)) is not None), None)


def _inside(message: str) -> str:
    """Return the place and the trouble in a message of msgspec, empty for a plain value."""
    text, _, place = message.partition(" - at `$")
    return f"{place.rstrip('`').lstrip('.')}: {text[:1].lower()}{text[1:]}".replace("`", "") if place else ""
