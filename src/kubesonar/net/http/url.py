"""URLs of http and https, read without urllib, whose memory every agent would pay for."""

from __future__ import annotations

import re

import msgspec

from kubesonar.model import mask_userinfo

_DEFAULT_PORTS = {"http": 80, "https": 443}

_URL = re.compile(
    r"(?P<scheme>https?)://(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(?P<port>\d{1,5}))?(?P<target>[/?][!-~]*)?",
    re.ASCII,
)


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
    """Read "https://host:port/path?query". Raises ValueError for user names, other schemes and white space."""
    found = _URL.fullmatch(text.partition("#")[0])
    port = int(found["port"] or 0) if found else 0
    if found is None or port > 65535:
        # The sentence names no example of a URL: who shows it masks it again, and would take the example for a secret.
        given = mask_userinfo(text)
        raise ValueError(f"a URL is http:// or https:// and a host, perhaps with a port and a path, not {given!r}")
    target = found["target"] or "/"
    return Url(
        scheme=found["scheme"],
        host=found["host"].strip("[]"),
        port=port or _DEFAULT_PORTS[found["scheme"]],
        authority=found["host"] + (f":{port}" if port else ""),
        target=target if target.startswith("/") else f"/{target}",
    )


def is_origin(text: str) -> bool:
    """Return whether a URL has neither path nor query nor fragment. Raises ValueError as `parse_url` does."""
    return parse_url(text).target == "/" and "#" not in text
