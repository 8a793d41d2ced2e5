"""URLs of http and https, read without urllib, whose memory every agent would pay for."""

from __future__ import annotations

import re

import msgspec

from kubesonar.model import mask_userinfo

_DEFAULT_PORTS = {"http": 80, "https": 443}

_URL = re.compile(
    r"(?P<scheme>(?i:https?))://(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>\d{1,5})?)?"
    r"(?P<target>[/?][^\0-\x20\x7f]*)?",
    re.ASCII,
)
_NOT_IN_URLS = re.compile(rb"[^!-~]")


class Url(msgspec.Struct, frozen=True):
    """An http or https URL. `authority` is the Host header, `target` path and query (RFC 9112, section 3.2)."""

    scheme: str
    host: str
    port: int
    authority: str
    target: str

    @property
    def secure(self) -> bool:
        """Whether the scheme is https."""
        return self.scheme == "https"


def parse_url(text: str) -> Url:
    """Read "https://host:port/path?query"; other characters than ASCII become percent-encoded UTF-8, as in Go. Raises
    ValueError for user names, other schemes, white space and what cannot be printed."""
    found = _URL.fullmatch(text.partition("#")[0])
    port = int(found["port"] or 0) if found else 0
    if found is None or port > 65535 or not text.isprintable():
        # The sentence names no example of a URL: who shows it masks it again, and would take the example for a secret.
        given = mask_userinfo(text)
        raise ValueError(f"a URL is http:// or https:// and a host, perhaps with a port and a path, not {given!r}")
    target = escaped_url((found["target"] or "/").encode("utf-8", "surrogatepass"))
    scheme = found["scheme"].lower()
    return Url(
        scheme=scheme,
        host=found["host"].strip("[]"),
        port=port or _DEFAULT_PORTS[scheme],
        authority=found["host"] + (f":{port}" if port else ""),
        target=target if target.startswith("/") else f"/{target}",
    )


def escaped_url(text: bytes) -> str:
    """Return text with all but visible ASCII characters percent-encoded."""
    return _NOT_IN_URLS.sub(lambda found: b"%%%02X" % found[0][0], text).decode("ascii")


def is_origin(text: str) -> bool:
    """Return whether a URL has neither path nor query nor fragment. Raises ValueError as `parse_url` does."""
    return parse_url(text).target == "/" and "#" not in text
