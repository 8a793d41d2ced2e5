"""JSON as Go's encoder writes it with SetIndent("", " ") (https://pkg.go.dev/encoding/json#Marshal)."""

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
    """Return `value` indented by one space, with a final newline."""
    text = msgspec.json.format(encode_json(value), indent=1)
    for plain, escaped in _ESCAPES:
        text = text.replace(plain, escaped)
    return text + b"\n"
