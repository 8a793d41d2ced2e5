"""The API double's HTTPS: our own web server's connections on a thread with a loop of its own."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import trustme
import uvloop

from kubesonar.web.connection import Connection
from kubesonar.web.connection_set import ConnectionSet
from kubesonar.web.options import LimitOptions
from tests.kube.answering import Api
from tests.kube.upgrading import Upgraded

_LIMITS = LimitOptions(connections=65_536, body=4 << 20, response=600.0, idle=600.0)


class Certificates:
    """A CA, the server's certificate, and one for a client."""

    def __init__(self) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.verify_mode = ssl.CERT_OPTIONAL
        self.rotate()

    def rotate(self) -> None:
        """A new CA, and a certificate of it."""
        self._ca = trustme.CA()
        self.authority: bytes = self._ca.cert_pem.bytes()
        self._ca.configure_trust(self.context)
        self.renew()

    def renew(self) -> None:
        """A certificate that is good."""
        self._show(30)

    def expire(self) -> None:
        """One that has expired."""
        self._show(-1)

    def client(self, name: str = "kubesonar") -> tuple[bytes, bytes]:
        """Certificate and key of a client (PEM)."""
        made = self._ca.issue_cert(f"{name}@example.org", common_name=name)
        return b"".join(blob.bytes() for blob in made.cert_chain_pems), made.private_key_pem.bytes()

    def _show(self, days: int) -> None:
        names = ("127.0.0.1", "::1", "localhost", "kubernetes.default.svc", "kubernetes.default.svc.cluster.local")
        made = self._ca.issue_cert(*names, not_after=datetime.now(UTC) + timedelta(days=days))
        made.configure_cert(self.context)


class Serving:
    """Serves an application at one address, from `start` to `stop`, again and again at the same port."""

    def __init__(self, api: Api, certificates: Certificates, address: str) -> None:
        self.address = address
        self.port = 0
        self.begun = 0
        self.handshakes = 0
        self._api = api
        self._certificates = certificates
        self._sockets: set[Upgraded] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Listens when it returns."""
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), name="api double", daemon=True)
        self._thread.start()
        if not ready.wait(10):
            raise RuntimeError("the API double does not listen")

    def stop(self) -> None:
        """Nothing is left open when it returns."""
        if self._thread is not None:
            self.call(self._ended.set)
            self._thread.join(10)
            self._thread = None

    def call(self, what: Callable[[], None], wait: bool = False) -> None:
        """Has something done on the loop; at once where there is none."""
        loop = self._loop
        if loop is None:
            return what()
        done = threading.Event()

        def act() -> None:
            what()
            done.set()

        loop.call_soon_threadsafe(act)
        if wait and not done.wait(10):
            raise RuntimeError("the API double does not react")
        return None

    def _run(self, ready: threading.Event) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self._serve(ready))

    async def _serve(self, ready: threading.Event) -> None:
        loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        connections = ConnectionSet(self._api, _LIMITS, loop)
        server = await loop.create_server(
            lambda: _Certified(connections, self),
            self.address,
            self.port,
            ssl=self._certificates.context,
            reuse_address=True,
        )
        self.port = server.sockets[0].getsockname()[1]
        self._loop = loop
        ready.set()
        await self._ended.wait()
        self._loop = None
        server.close()
        connections.stop()
        for _ in range(20):  # a handshake under way is no connection yet, and the loop cannot be closed on it
            if self.begun == self.handshakes:
                break
            await asyncio.sleep(0.005)
        await asyncio.gather(*(socket.abort() for socket in [*self._sockets]))
        connections.abort()
        await connections.emptied()

    def connected(self, transport: asyncio.BaseTransport) -> None:
        """A handshake is over."""
        self.handshakes += 1
        peer: Any = transport.get_extra_info("peername")
        if transport.get_extra_info("peercert"):
            self._api.certified.add((str(peer[0]), int(peer[1])))

    def upgrade(self, transport: asyncio.Transport, data: bytes) -> None:
        """Makes a WebSocket of a connection whose request is in `data`."""
        socket = Upgraded(self._api.streams, self._api.upgrade, self._sockets)
        transport.set_protocol(socket)
        socket.connection_made(transport)
        socket.data_received(data)


class _Certified(Connection):
    """A connection that tells who has shown a certificate, and becomes a WebSocket where its first request asks so."""

    def __init__(self, connections: ConnectionSet, serving: Serving) -> None:
        super().__init__(connections)
        self._serving = serving
        self._head: bytes | None = b""
        serving.begun += 1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        self._serving.connected(transport)
        self._raw = cast(asyncio.Transport, transport)
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        if self._head is None:
            return super().data_received(data)
        self._head += data
        if b"\r\n\r\n" not in self._head:
            return None
        data, self._head = self._head, None
        if b"\r\nupgrade: websocket\r\n" not in data.lower():
            return super().data_received(data)
        super().connection_lost(None)
        return self._serving.upgrade(self._raw, data)
