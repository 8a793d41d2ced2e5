"""Several listeners in one process."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Sequence

import msgspec

from kubesonar.net.kernel.accept_drops import AcceptDrops
from kubesonar.web.connection import Connection
from kubesonar.web.connection_set import ConnectionSet
from kubesonar.web.handler import Handler
from kubesonar.web.options import LimitOptions, ListenOptions
from kubesonar.web.sockets import open_socket, remove_socket
from kubesonar.web.tls import Certificate


class Listener(msgspec.Struct, frozen=True):
    """An address, the handler of its requests, and its limits."""

    options: ListenOptions
    handler: Handler
    limits: LimitOptions = LimitOptions()


class Server:
    """Listens from `start` until `stop`. Installs no signal handlers and configures no logging."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self._listeners = listeners
        self._sets: list[ConnectionSet] = []
        self._sockets: list[socket.socket] = []
        self._servers: list[asyncio.Server] = []
        self._accept_drops = AcceptDrops()
        self.addresses: list[tuple[str, int] | str] = []
        """Addresses that are open, in the order of the listeners: host and port (the port as bound, where 0 was
        asked for), or the path of a Unix socket."""

    @property
    def refused(self) -> int:
        """Number of connections and requests turned away because of a limit, or because they were not HTTP."""
        return sum(one.refused for one in self._sets)

    @property
    def connections(self) -> int:
        """Number of open connections."""
        return sum(map(len, self._sets))

    @property
    def lost(self) -> int:
        """Connections that the kernel dropped so far, as more came than were accepted."""
        return self._accept_drops.count(self._sockets)

    async def start(self) -> None:
        """Open every listener. Raises ConfigError where an address or a certificate cannot be used; then nothing is
        left open."""
        try:
            for listener in self._listeners:
                await self._open(listener)
        except BaseException:
            await self.stop(0)
            raise

    async def stop(self, grace: float) -> None:
        """Accept no more connections, give replies on their way `grace` seconds, and cut what is left then."""
        self._close()
        for connections in self._sets:
            connections.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await asyncio.gather(*(connections.emptied() for connections in self._sets))
        for connections in self._sets:
            connections.abort()
        await asyncio.sleep(0)

    def _close(self) -> None:
        for server in self._servers:
            server.close()
        for listening in self._sockets:
            listening.close()
        for address in self.addresses:
            if isinstance(address, str):
                remove_socket(address)
        self._servers.clear()
        self._sockets.clear()
        self.addresses.clear()

    async def _open(self, listener: Listener) -> None:
        options, loop = listener.options, asyncio.get_running_loop()
        context = Certificate(options).context if options.certificate_file else None
        listening = open_socket(options)
        self._sockets.append(listening)
        name = listening.getsockname()
        self.addresses.append(name if isinstance(name, str) else name[:2])
        connections = ConnectionSet(listener.handler, listener.limits, loop)
        self._sets.append(connections)
        create = loop.create_unix_server if listening.family == socket.AF_UNIX else loop.create_server
        server = await create(
            lambda: Connection(connections),
            sock=listening,
            ssl=context,
            ssl_handshake_timeout=listener.limits.request if context else None,
        )
        self._servers.append(server)
