"""Idle HTTP connections."""

from __future__ import annotations

from math import inf

from kubesonar.net.clock import Clock, SystemClock
from kubesonar.net.http.connection import HttpConnection
from kubesonar.net.http.origin import Origin

_SYSTEM = SystemClock()


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
        kept = self._idle.pop(origin, []) if self._idle else []
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
        kept = self._idle.pop(origin, []) if self._idle else []
        if connection.idle and len(kept) < self._each and self._origins:
            kept.append((self._mono(), connection))
            if len(self._idle) >= self._origins:
                self._drop(next(iter(self._idle)))
        else:
            connection.close()
        if kept:
            self._idle[origin] = kept

    def close(self) -> None:
        """Close every connection."""
        while self._idle:
            self._drop(next(iter(self._idle)))

    def _drop(self, origin: Origin) -> None:
        for _, connection in self._idle.pop(origin):
            connection.close()
