"""Small HTTP servers that answer as they are told, in a thread of their own, and snapshots for them to serve."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec

from kubesonar.model import Snapshot
from tests.core.mesh import START, Mesh

Answering = Callable[[bytes], bytes | None]
"""The whole answer to a request's head; None: never any."""


def answer(body: bytes, status: int = 200) -> Answering:
    """That body, with that status."""
    head = f"HTTP/1.1 {status} x\r\ncontent-length: {len(body)}\r\n\r\n".encode()
    return lambda request: head + body


def snapshots(mesh: Mesh, after: float = 25.0) -> dict[str, Snapshot | str]:
    """What the members of a simulated mesh would tell just now, and why the others tell nothing."""
    mesh.clocks = {member.name: time.time() - START - after for member in mesh.members}
    read, unread, _ = mesh.run(after).snapshots(after)
    return {**unread, **{snapshot.member.name: snapshot for snapshot in read}}


def answers(mesh: Mesh) -> dict[str, Answering]:
    """Servers for those members of a simulated mesh that could be read."""
    told = snapshots(mesh)
    return {name: answer(msgspec.json.encode(told[name])) for name in told if isinstance(told[name], Snapshot)}


@contextlib.contextmanager
def on_sockets(folder: Path, served: Mapping[str, Answering]) -> Iterator[Path]:
    """Each on a Unix socket `folder`/NAME.sock."""
    with _serving({_unix(folder / f"{name}.sock"): answering for name, answering in served.items()}):
        yield folder


@contextlib.contextmanager
def on_tcp(answering: Answering, sock: socket.socket | None = None) -> Iterator[str]:
    """On a free port of 127.0.0.1, or on a socket that is bound already; yields its URL."""
    sock = sock or bound()
    with _serving({sock: answering}):
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"


def bound(host: str = "127.0.0.1") -> socket.socket:
    """A socket bound to a free port."""
    sock = socket.socket()
    sock.bind((host, 0))
    return sock


def _unix(path: Path) -> socket.socket:
    sock = socket.socket(socket.AF_UNIX)
    try:
        sock.bind(str(path))
    except OSError:
        sock.close()
        raise
    return sock


@contextlib.contextmanager
def _serving(served: Mapping[socket.socket, Answering]) -> Iterator[None]:
    started, loop = threading.Event(), asyncio.new_event_loop()
    stop = asyncio.Event()

    async def serve() -> None:
        async with contextlib.AsyncExitStack() as stack:
            for sock, answering in served.items():
                await stack.enter_async_context(await _server(sock, answering))
            started.set()
            await stop.wait()
            others = asyncio.all_tasks() - {asyncio.current_task()}
            if others:  # they end as soon as they notice that nobody listens any more
                await asyncio.wait(others, timeout=5)

    def run() -> None:
        loop.run_until_complete(serve())
        loop.close()

    thread = threading.Thread(target=run)
    thread.start()
    assert started.wait(10)
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)


async def _server(sock: socket.socket, answering: Answering) -> asyncio.Server:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError), contextlib.closing(writer):
            reply = answering(await reader.readuntil(b"\r\n\r\n"))
            if reply is None:
                await reader.read()
                return
            writer.write(reply)
            await writer.drain()

    if sock.family == socket.AF_UNIX:
        return await asyncio.start_unix_server(handle, sock=sock)
    return await asyncio.start_server(handle, sock=sock)
