"""User name and password in a URL (RFC 3986, section 3.2.1)."""

from __future__ import annotations

import re
from binascii import b2a_base64

_USER = re.compile(r"(https?://)([^@/?#]+)@", re.ASCII)
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")


def split_user(text: str) -> tuple[str, str]:
    """Return the URL without user name and password, and the "Basic …" (RFC 7617) that they stand for; empty for
    none."""
    found = _USER.match(text)
    if found is None:
        return text, ""
    plain = _ESCAPE.sub(lambda escape: bytes.fromhex(escape[1].decode()), found[2].encode())
    user, colon, password = plain.partition(b":")
    word = b2a_base64(user + b":" + (password if colon else b""), newline=False).decode()
    return found[1] + text[found.end() :], f"Basic {word}"
