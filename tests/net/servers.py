"""Servers on loopback that do exactly what a test's script says, and a wire that is a script itself."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from kubesonar.model import Kernel
from kubesonar.net.deadline import Deadline, Failed

Script = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@asynccontextmanager
async def serving(
    script: Script, host: str = "127.0.0.1", context: ssl.SSLContext | None = None, port: int = 0
) -> AsyncIterator[int]:
    """A server that runs `script` for each connection; gives its port. Whatever the client did is no concern of it."""
    running: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        try:
            with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await script(reader, writer)
        finally:
            running.discard(task)
            writer.close()

    server = await asyncio.start_server(handle, host, port, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in list(running):
            task.cancel()
        await asyncio.gather(*running)
        await asyncio.sleep(0.01)  # what was closed leaves the loop


async def asked(reader: asyncio.StreamReader) -> bytes:
    """Reads one request without a body."""
    return await reader.readuntil(b"\r\n\r\n")


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Accepts and says nothing until the client leaves."""
    while await reader.read(65_536):
        continue


def saying(answer: bytes, stay: bool = False) -> Script:
    """Answers every request with these bytes; leaves after the first unless it is to `stay`."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await asked(reader)
            writer.write(answer)
            await writer.drain()
            if not stay:
                return

    return script


def endless(start: bytes, piece: bytes, pause: float = 0.0) -> Script:
    """Begins an answer and goes on with it for ever."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        writer.write(start)
        while True:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)

    return script


class Twin:
    """A wire that plays a script: each read gives the next entry, or raises it."""

    def __init__(self, *entries: bytes | Failed, stale: bool = False) -> None:
        self.kernel: Kernel | None = Kernel(rtt=0.001)
        self.source_port = 40_000
        self.session: ssl.SSLSession | None = None
        self.log: list[str] = []
        self.written = b""
        self._entries = list(entries)
        self._stale = stale

    async def connect(self, address: str, port: int, deadline: Deadline) -> None:
        self.log.append(f"connect {address} {port}")

    async def start_tls(
        self, context: ssl.SSLContext, server_name: str, deadline: Deadline, session: ssl.SSLSession | None = None
    ) -> None:
        self.log.append(f"tls {server_name}")

    async def write(self, data: bytes, deadline: Deadline) -> None:
        self.log.append("write")
        self.written += data

    async def read(self, limit: int, deadline: Deadline) -> bytes:
        self.log.append("read")
        entry = self._entries.pop(0) if self._entries else b""
        if isinstance(entry, Failed):
            raise entry
        return entry

    def answer_in_ticks(self) -> None:
        self.log.append("in ticks")

    def stale(self) -> bool:
        return self._stale

    def tcp_info(self) -> Kernel | None:
        return self.kernel

    def close(self) -> None:
        self.log.append("close")

    def abort(self) -> None:
        self.log.append("abort")
