"""Several listeners in one process."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Sequence

import msgspec

from kubesonar.web.asgi import App
from kubesonar.web.connection import Connection
from kubesonar.web.connection_set import Host
from kubesonar.web.options import LimitOptions, ListenOptions
from kubesonar.web.sockets import open_socket, remove_socket
from kubesonar.web.tls import Certificate


class Listener(msgspec.Struct, frozen=True):
    """An address, the ASGI application behind it (scope type "http" only; no lifespan), and its limits."""

    options: ListenOptions
    app: App
    limits: LimitOptions = LimitOptions()


class Server:
    """Listens from `start` until `stop`. Handles no signals and configures no logging."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self._listeners = listeners
        self._hosts: list[Host] = []
        self._sockets: list[socket.socket] = []
        self._servers: list[asyncio.Server] = []
        self.addresses: list[tuple[str, int] | str] = []
        """Where it listens, in the order of the listeners: host and port (as bound, where 0 was asked), or a path."""

    @property
    def refused(self) -> int:
        """Connections and requests turned away because of a limit, or because they were not HTTP."""
        return sum(host.refused for host in self._hosts)

    @property
    def connections(self) -> int:
        """Connections that are open."""
        return sum(len(host) for host in self._hosts)

    async def start(self) -> None:
        """Raises ConfigError where an address or a certificate cannot be used; then nothing is left open."""
        try:
            for listener in self._listeners:
                await self._open(listener)
        except BaseException:
            await self.stop(0)
            raise

    async def stop(self, grace: float) -> None:
        """Accepts no more, lets the answers that are on their way go out, and cuts what is left after `grace` s."""
        self._close()
        for host in self._hosts:
            host.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace):
                await asyncio.gather(*(host.emptied() for host in self._hosts))
        for host in self._hosts:
            host.abort()
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
        host = Host(listener.app, listener.limits, loop)
        self._hosts.append(host)
        scheme = "https" if context else "http"
        create = loop.create_unix_server if listening.family == socket.AF_UNIX else loop.create_server
        server = await create(
            lambda: Connection(host, scheme),
            sock=listening,
            ssl=context,
            ssl_handshake_timeout=listener.limits.request if context else None,
        )
        self._servers.append(server)
