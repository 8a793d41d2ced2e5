"""Idle HTTP connections, and the origins that they lead to."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from math import inf
from typing import Self

import msgspec

from kubesonar.net.clock import Clock, SystemClock
from kubesonar.net.http.connection import HttpConnection
from kubesonar.net.http.url import Url
from kubesonar.net.tcp.stream import Stream, Wire

_SYSTEM = SystemClock()


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

    def connection(
        self, address: str, *, keep: bool, patience: float = inf, session: ssl.SSLSession | None = None
    ) -> HttpConnection:
        """Return a connection, not yet open, to this origin at one of its addresses."""
        return HttpConnection(
            address,
            self.port,
            context=self.context if self.secure else None,
            server_name=self.server_name,
            keep=keep,
            session=session,
            wire=lambda: self.wire(patience),
        )


class ConnectionPool:
    """Connections between two requests: at most `each` for one origin, idle for at most `idle` seconds, and those of at
    most `origins` origins; beyond, the origin that was given least recently loses its own. `close` it.

    Used by `HttpClient` (API server, kubenurse's checks) and the HTTP probe."""

    def __init__(self, origins: int, *, each: int = 1, idle: float = inf, clock: Clock = _SYSTEM) -> None:
        self._origins = origins
        self._each = each
        self._longest = idle
        self._mono = clock.mono
        self._idle: dict[Origin, list[tuple[float, HttpConnection]]] = {}

    def take(self, origin: Origin) -> HttpConnection | None:
        """Remove and return a connection to this origin, the one that was given last; None without one."""
        kept = self._idle.pop(origin, [])
        while kept:
            since, connection = kept.pop()
            if self._mono() - since <= self._longest:
                if kept:
                    self._idle[origin] = kept
                return connection
            connection.close()
        return None

    def give(self, origin: Origin, connection: HttpConnection) -> None:
        """Keep a connection for the next request, or close it where it cannot be kept."""
        kept = self._idle.pop(origin, [])
        if connection.idle and len(kept) < self._each and self._origins:
            kept.append((self._mono(), connection))
        else:
            connection.close()
        if len(self._idle) >= self._origins > 0:
            self._drop(next(iter(self._idle)))
        if kept:
            self._idle[origin] = kept

    def close(self) -> None:
        """Close every connection."""
        while self._idle:
            self._drop(next(iter(self._idle)))

    def _drop(self, origin: Origin) -> None:
        for _, connection in self._idle.pop(origin):
            connection.close()
