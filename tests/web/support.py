"""A client that says exactly what it is told to, and a place to serve a handler."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import msgspec
import uvloop

from kubesonar.web import Handler, LimitOptions, Listener, ListenOptions, Reply, Request, Server

T = TypeVar("T")


def run(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Runs one test on uvloop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work())


async def hello(request: Request) -> Reply:
    """Says what it was asked, and how long the body was."""
    return Reply(f"{request.method} {request.path} {len(request.body)}".encode(), "text/plain")


@asynccontextmanager
async def serving(handler: Handler = hello, address: str = "127.0.0.1:0", **limits: Any) -> AsyncIterator[Server]:
    """A server that listens once."""
    server = Server([Listener(ListenOptions(address=address), handler, LimitOptions(**limits))])
    await server.start()
    try:
        yield server
    finally:
        await server.stop(1)


@asynccontextmanager
async def connected(server: Server) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection to a server's first listener."""
    address = server.addresses[0]
    if isinstance(address, str):
        reader, writer = await asyncio.open_unix_connection(address)
    else:
        reader, writer = await asyncio.open_connection(*address)
    try:
        yield reader, writer
    finally:
        writer.close()


def port_of(server: Server) -> int:
    """The port of a server's first listener."""
    return int(server.addresses[0][1])


async def ask(server: Server, raw: bytes, timeout: float = 5) -> bytes:
    """Everything that comes back to `raw` until the server closes."""
    async with connected(server) as (reader, writer), asyncio.timeout(timeout):
        writer.write(raw)
        return await reader.read()


async def get(server: Server, target: str, *headers: str, method: str = "GET") -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of one request."""
    lines = [f"{method} {target} HTTP/1.1", "host: x", "connection: close", *headers, "", ""]
    return parsed(await ask(server, "\r\n".join(lines).encode()))


def parsed(raw: bytes) -> tuple[int, dict[str, str], bytes]:
    """A response with a content-length, read."""
    head, _, body = raw.partition(b"\r\n\r\n")
    line, *fields = head.decode().split("\r\n")
    return int(line.split()[1]), dict(field.split(": ", 1) for field in fields), body


def error_of(raw: bytes) -> tuple[int, str]:
    """Status and sentence of a refusal."""
    status, _, body = parsed(raw)
    return status, msgspec.json.decode(body)["error"]
