"""What a resumed TLS session saves: CPU of the agent's probe, and of a server, by the kind of the server's key."""

from __future__ import annotations

import asyncio
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median

import msgspec
import trustme
import uvloop

from kubesonar.model import Check, Kind, Network
from kubesonar.model import Path as Way
from kubesonar.probes.http.http import HttpOptions, HttpProbe
from kubesonar.probes.http.terms import Terms
from kubesonar.probes.source import ProbeSource

BLOCKS, BLOCK = 15, 20
"""Both kinds in turns, so many probes each: what else the machine does hits both alike."""

_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


class Handshake(msgspec.Struct, frozen=True):
    """CPU of one check (s), at either end."""

    agent: float
    server: float


class _Server:
    """Answers one connection at a time in a thread, whose CPU it counts."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self.cpu = 0.0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self._context = context

    def serve(self) -> None:
        """Until the listener is closed."""
        with suppress(OSError):
            while True:
                raw, _ = self.listener.accept()
                began = time.thread_time()
                with suppress(OSError), self._context.wrap_socket(raw, server_side=True) as secure:
                    secure.recv(4096)
                    secure.sendall(_ANSWER)
                    secure.recv(1)
                self.cpu += time.thread_time() - began


@contextmanager
def _serving(context: ssl.SSLContext) -> Iterator[_Server]:
    server = _Server(context)
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server
    finally:
        server.listener.shutdown(socket.SHUT_RDWR)
        thread.join()
        server.listener.close()


def sessions(key: trustme.KeyType) -> tuple[Handshake, Handshake]:
    """A check with a full handshake, and one that resumes."""
    authority = trustme.CA(key_type=key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1", key_type=key).configure_cert(context)
    with tempfile.TemporaryDirectory() as name, _serving(context) as server:
        trust = Path(name, "ca.pem")
        authority.cert_pem.write_to_path(str(trust))
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_compared(server, str(trust)))


async def _compared(server: _Server, trust: str) -> tuple[Handshake, Handshake]:
    port = server.listener.getsockname()[1]
    url = f"https://127.0.0.1:{port}/version"
    check = Check("full", Kind.HTTP, Way.API_DIRECT, "api", "127.0.0.1", port, timeout=10.0, request=url, trust=trust)
    probe = HttpProbe(ProbeSource("bench", Network.POD), HttpOptions(), terms={"resumed": Terms(full=3600.0)})
    seen: dict[str, list[Handshake]] = {"full": [], "resumed": []}
    for _ in range(BLOCKS):
        for name, blocks in seen.items():
            blocks.append(await _block(probe, msgspec.structs.replace(check, id=name), server))
    full, resumed = (
        Handshake(median(one.agent for one in blocks), median(one.server for one in blocks)) for blocks in seen.values()
    )
    return full, resumed


async def _block(probe: HttpProbe, check: Check, server: _Server) -> Handshake:
    served, began = server.cpu, time.thread_time()
    for _ in range(BLOCK):
        assert (await probe(check)).fault is None
    agent = time.thread_time() - began
    await asyncio.sleep(0.01)  # the last connection ends
    return Handshake(agent / BLOCK, (server.cpu - served) / BLOCK)


def table() -> list[str]:
    """Of both usual kinds of keys."""
    rows = [
        "| the server's key | agent, full | agent, resumed | server, full | server, resumed |",
        "|---|---|---|---|---|",
    ]
    for name, key in (("RSA 2048 (kubeadm)", trustme.KeyType.RSA), ("ECDSA P-256", trustme.KeyType.ECDSA)):
        cells = [f"{end * 1000:.2f} ms" for end in _ends(*sessions(key))]
        rows.append(f"| {name} | " + " | ".join(cells) + " |")
    return rows


def _ends(full: Handshake, resumed: Handshake) -> tuple[float, ...]:
    return full.agent, resumed.agent, full.server, resumed.server
