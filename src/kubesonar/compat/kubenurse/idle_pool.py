"""Connections that stay open between checks, where that is asked for."""

from __future__ import annotations

import ssl
from contextlib import aclosing

from kubesonar.net.deadline import Failed
from kubesonar.net.http.connection import HttpConnection

_MOST = 100
_SILENCE, _BODY = 0.5, 65_536
"""A body that is longer in coming, or longer, is not worth its connection."""

Key = tuple[str, str, int, ssl.SSLContext]
"""Scheme, host, port and TLS context: the context itself, since what a server is shown depends on who verified it, and
the id of one that is gone may be another's."""


class Kept:
    """At most `_MOST` idle connections, one for each server; beyond, the oldest is closed."""

    def __init__(self) -> None:
        self._idle: dict[Key, HttpConnection] = {}

    def take(self, key: Key) -> HttpConnection | None:
        """The connection to that server, if there is one."""
        return self._idle.pop(key, None)

    async def leave(self, key: Key, connection: HttpConnection) -> None:
        """Keeps a connection whose last answer's headers were read, once it is rid of the body; closes it where that
        cannot be."""
        try:
            size = 0
            async with aclosing(connection.chunks(_SILENCE)) as chunks:
                async for data in chunks:
                    size += len(data)
                    if size > _BODY:
                        break
        except Failed:
            return
        if not connection.idle or key in self._idle:
            connection.close()
            return
        if len(self._idle) >= _MOST:  # the oldest may be of a context that is gone
            self._idle.pop(next(iter(self._idle))).close()
        self._idle[key] = connection

    def close(self) -> None:
        """Closes all."""
        while self._idle:
            self._idle.popitem()[1].close()
