"""Runs one of the lab's servers on the loopback, and asks it over HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import uvloop

from tests.ports import free_port

HOST = "127.0.0.1"


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work())


@contextlib.asynccontextmanager
async def running(service: Callable[[int, asyncio.Event], Coroutine[Any, Any, None]]) -> AsyncIterator[int]:
    port, stop = free_port(), asyncio.Event()
    task = asyncio.ensure_future(service(port, stop))
    try:
        while not await listens(port):
            assert not task.done(), task.exception()
        yield port
    finally:
        stop.set()
        await task


async def listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except ConnectionRefusedError:
        await asyncio.sleep(0.01)
        return False
    writer.close()
    return True


async def get(port: int, path: str, trust: ssl.SSLContext | None = None, method: str = "GET") -> tuple[int, bytes]:
    reader, writer = await asyncio.open_connection(HOST, port, ssl=trust)
    writer.write(f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
    writer.close()
    return int(head.split(b" ")[1]), body
