"""The only place that writes JSON: for people, files and other programs alike.

Terminals obey control characters, also those beyond ASCII, and bidirectional ones change what a line seems to say.
JSON may hold all of them as they are; here they are written as escapes, which mean the same to every parser.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from kubesonar.model import printable


def encode_json(value: object, enc_hook: Callable[[Any], Any] | None = None) -> bytes:
    """Return `value` as one line of JSON. `enc_hook` makes values of other types plain."""
    try:
        data = msgspec.json.encode(value, enc_hook=enc_hook)
    except UnicodeEncodeError:  # half a character, as the interpreter decodes a file name that is not UTF-8
        data = msgspec.json.encode(_whole(msgspec.to_builtins(value, enc_hook=enc_hook)))
    return _without_control(data)


def format_json(value: object) -> bytes:
    """Return `value` as indented JSON, without a final line break."""
    return msgspec.json.format(encode_json(value))


def _without_control(data: bytes) -> bytes:
    if data.isascii() and b"\x7f" not in data:  # what is below the space is escaped already
        return data
    return printable(data.decode(), _escape).encode()


def _escape(char: str) -> str:
    """Return the escape of JSON, of two halves beyond U+FFFF (RFC 8259, section 7)."""
    halves = char.encode("utf-16-be")
    return "".join(f"\\u{halves[at]:02x}{halves[at + 1]:02x}" for at in range(0, len(halves), 2))


def _whole(tree: Any) -> Any:
    """Return plain data with the halves of characters as text that says so."""
    match tree:
        case str():
            return tree.encode("utf-8", "backslashreplace").decode()
        case dict():
            return {_whole(key): _whole(below) for key, below in tree.items()}
        case list() | tuple():
            return [_whole(below) for below in tree]
        case _:
            return tree
