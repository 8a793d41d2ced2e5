"""JSON as Go's encoder writes it (https://pkg.go.dev/encoding/json#Marshal)."""

from __future__ import annotations

from typing import Any

import msgspec

from kubesonar.core.encoding import encode_json

_ESCAPES = (
    (b"&", b"\\u0026"),
    (b"<", b"\\u003c"),
    (b">", b"\\u003e"),
)
"""Characters that Go escapes so that JSON may stand in HTML; they occur within strings only. The separators of lines,
which it escapes too, `encode_json` does."""


def go_json(value: Any) -> bytes:
    """Return `value` indented by one space, as SetIndent("", " ") has it, with a final newline."""
    return _escaped(msgspec.json.format(encode_json(value), indent=1)) + b"\n"


def go_compact_json(value: Any) -> bytes:
    """Return `value` in one line without spaces, as Marshal writes it. Keys of maps have to be in order already."""
    return _escaped(encode_json(value))


def _escaped(text: bytes) -> bytes:
    for plain, escaped in _ESCAPES:
        text = text.replace(plain, escaped)
    return text
