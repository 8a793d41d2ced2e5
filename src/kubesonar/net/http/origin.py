"""The far end of an HTTP connection."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Self

import msgspec

from kubesonar.net.http.url import Url
from kubesonar.net.tcp.stream import Stream, Wire


def direct(patience: float) -> Wire:
    """Return a stream to the server itself, which has `patience` seconds to connect."""
    return Stream(patience=patience)


class Origin(msgspec.Struct, frozen=True):
    """The far end of a connection: `host` (a name, an IP literal or "unix:/path") and `port` to connect to, and where
    `secure` the TLS `context` and the `server_name` to verify. `wire` makes the stream below. A connection serves
    another request only for an equal origin: under another context somebody else may have verified the server."""

    host: str
    port: int
    server_name: str = ""
    secure: bool = False
    context: ssl.SSLContext | None = None
    wire: Callable[[float], Wire] = direct

    @classmethod
    def of(cls, url: Url, context: ssl.SSLContext | None = None) -> Self:
        """Return the origin of `url`."""
        return cls(url.host, url.port, url.host, url.secure, context)
