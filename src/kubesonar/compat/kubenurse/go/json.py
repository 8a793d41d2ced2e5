"""JSON as Go's encoder writes it with SetIndent("", " ") (https://pkg.go.dev/encoding/json#Marshal)."""

from __future__ import annotations

from typing import Any

import msgspec

_ESCAPES = (
    (b"&", b"\\u0026"),
    (b"<", b"\\u003c"),
    (b">", b"\\u003e"),
    ("\u2028".encode(), b"\\u2028"),
    ("\u2029".encode(), b"\\u2029"),
)
"""Characters that Go escapes so that JSON may stand in HTML; they occur within strings only."""


def go_json(value: Any) -> bytes:
    """Return `value` indented by one space, with a final newline."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=1)
    for plain, escaped in _ESCAPES:
        text = text.replace(plain, escaped)
    return text + b"\n"
