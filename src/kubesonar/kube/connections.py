"""Connections to the API server: kept while they are good, made anew at whichever of its addresses answers."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable

from kubesonar.kube.auth.credentials import Access, Credentials
from kubesonar.net.clock import Clock
from kubesonar.net.deadline import Deadline
from kubesonar.net.dns.system_resolver import Resolver
from kubesonar.net.http.connection import HttpConnection
from kubesonar.net.http.exchange import Response

IDLE = 30.0
"""Seconds for which an idle connection is used again: firewalls forget one, and a POST is not asked twice."""

_KEPT = 2

ConnectionRequest = Callable[[HttpConnection], Awaitable[Response]]


class ApiConnections:
    """Lends connections out, each for one request at a time."""

    def __init__(self, credentials: Credentials, clock: Clock, resolver: Resolver) -> None:
        self._credentials = credentials
        self._clock = clock
        self._resolver = resolver
        self._idle: list[tuple[float, HttpConnection]] = []
        self._context: ssl.SSLContext | None = None
        self._turn = 0

    async def ask(self, access: Access, deadline: Deadline, ask: ConnectionRequest) -> tuple[HttpConnection, Response]:
        """Asks on an idle connection or on a new one; give it back with `done`. Raises Failed for a name that cannot be
        looked up; other failures are in the response."""
        connection = self._take(access.context)
        if connection is not None:
            return connection, await ask(connection)
        return await self._new(access, deadline, ask)

    def done(self, connection: HttpConnection, access: Access) -> None:
        """Keeps a connection for the next request, where it can be."""
        if connection.idle and len(self._idle) < _KEPT and access.context is self._context:
            self._idle.append((self._clock.mono(), connection))
        else:
            connection.close()

    def close(self) -> None:
        """Closes what is idle."""
        for _, connection in self._idle:
            connection.close()
        self._idle.clear()

    def _take(self, context: ssl.SSLContext | None) -> HttpConnection | None:
        """None that was made under other certificates, nor one that rested too long."""
        if context is not self._context:
            self.close()
            self._context = context
        while self._idle:
            since, connection = self._idle.pop()
            if self._clock.mono() - since <= IDLE:
                return connection
            connection.close()
        return None

    async def _new(self, access: Access, deadline: Deadline, ask: ConnectionRequest) -> tuple[HttpConnection, Response]:
        """At each of the server's addresses in turn until one lets us in, and from then on there first."""
        server, name = self._credentials.server, self._credentials.server_name
        addresses = await self._resolver.resolve(server.host, 0, deadline)
        for left in range(len(addresses) - 1, -1, -1):
            address = addresses[self._turn % len(addresses)]
            connection = HttpConnection(address, server.port, context=access.context, server_name=name, keep=True)
            response = await ask(connection)
            if response.fault is None:
                break
            self._turn += 1
            if response.phases or deadline.over or not left:
                break
        return connection, response
