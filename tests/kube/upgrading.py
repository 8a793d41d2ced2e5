"""The API double's WebSockets: exec runs commands on this machine, port-forward dials servers on it.

Frames are those that a real server was heard to send (1.36, containerd).
"""

from __future__ import annotations

import asyncio
import contextlib
import struct
import subprocess
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import parse_qs

import msgspec
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from tests.kube.requests import Asked, asked_by
from tests.kube.store import Refused

POD = "b104ed715a9061d5b8b4475fd50be52678728468720528e0fc512984c983a6ba"
READ = 32_768


class StreamSwitches:
    """How pods behave behind exec and port-forward.

    `protocols` are those of exec, newest first (1.28: v4 only). `listening` says where a pod's port is on this machine:
    (host, port) or the path of a Unix socket, by the pod's name and the port. `cut` is the number of bytes of output
    after which the connection is lost, `error` what the error channel says at once. `run` replaces the command.
    """

    def __init__(self) -> None:
        self.protocols = ["v5.channel.k8s.io", "v4.channel.k8s.io"]
        self.listening: dict[tuple[str, int], tuple[str, int] | str] = {}
        self.cut: int | None = None
        self.error = ""
        self.run: Callable[[list[str]], list[str]] = lambda command: command


Admit = Callable[[Asked, Any], Any]
"""Returns once the request may go on; raises Refused."""


class Upgraded(asyncio.Protocol):
    """One connection that asks for a WebSocket."""

    def __init__(self, switches: StreamSwitches, admit: Admit, all_of_them: set[Upgraded]) -> None:
        self._switches, self._admit, self._all = switches, admit, all_of_them
        self._protocol = ServerProtocol(select_subprotocol=lambda _, offered: self._select(offered))
        self._messages: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._writable = asyncio.Event()
        self._writable.set()
        self._left = switches.cut
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio, as those below."""
        self._transport = cast(asyncio.Transport, transport)
        self._all.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._all.discard(self)
        self._messages.put_nowait(None)
        self._writable.set()
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        """The client does not take it."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """It does again."""
        self._writable.set()

    def eof_received(self) -> None:
        """The client is gone."""
        self._protocol.receive_eof()
        self._flush()

    def data_received(self, data: bytes) -> None:
        """Takes the request, then frames."""
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._task = asyncio.ensure_future(self._serve(event))
            elif isinstance(event, Frame) and event.opcode is Opcode.BINARY:
                self._messages.put_nowait(bytes(event.data))
            elif isinstance(event, Frame) and event.opcode is Opcode.CLOSE:
                self._messages.put_nowait(None)
        self._flush()

    async def abort(self) -> None:
        """Cuts the connection and ends what runs for it."""
        self._transport.abort()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def receive(self) -> tuple[int, bytes] | None:
        """The next message: its channel and what it holds."""
        message = await self._messages.get()
        return (message[0], message[1:]) if message else None

    async def send(self, channel: int, data: bytes) -> None:
        """Sends a message, or loses the connection where that is wanted."""
        if self._left is not None:
            self._left -= len(data)
            if self._left < 0:
                self._transport.abort()
                raise ConnectionResetError
        if self._transport.is_closing():
            raise ConnectionResetError
        self._protocol.send_binary(bytes((channel,)) + data)
        self._flush()
        await self._writable.wait()

    def _select(self, offered: Any) -> Subprotocol | None:
        return next((Subprotocol(name) for name in self._known if name in offered), None)

    async def _serve(self, request: Request) -> None:
        path, _, query = request.path.partition("?")
        headers = {name.lower(): value for name, value in request.headers.raw_items()}
        asked = asked_by("GET", path, query, headers)
        work = _exec if asked.resource == "pods/exec" else _port_forward
        self._known = self._switches.protocols if work is _exec else ["v4.channel.k8s.io"]
        try:
            await self._admit(asked, self._transport.get_extra_info("peername"))
        except Refused as refused:
            response = self._protocol.reject(HTTPStatus(refused.code), "")
            response.body = msgspec.json.encode(refused.status()) + b"\n"
            for name, value in (("Content-Type", "application/json"), ("Content-Length", str(len(response.body)))):
                del response.headers[name]
                response.headers[name] = value
            self._protocol.send_response(response)
            return self._flush()
        self._protocol.send_response(self._protocol.accept(request))
        self._flush()
        with contextlib.suppress(ConnectionResetError):
            await work(self, self._switches, asked, parse_qs(query))
            self._protocol.send_close(1000)
            self._flush()
        return None

    def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._transport.write(data)
            else:
                self._transport.close()


async def _exec(socket: Upgraded, switches: StreamSwitches, asked: Asked, query: dict[str, list[str]]) -> None:
    await socket.send(1, b"")
    if switches.error:
        return await socket.send(3, _status(message=switches.error, reason="InternalError", code=500))
    given = await _input(socket) if "stdin" in query else b""
    started: list[subprocess.Popen[bytes]] = []
    running = asyncio.ensure_future(asyncio.to_thread(_run, switches.run(query["command"]), given, started))
    try:
        outputs = await asyncio.shield(running)
    except OSError as error:
        message = f"error executing command in container: {error}"
        return await socket.send(3, _status(message=message, reason="InternalError"))
    finally:
        while not running.done():
            for process in started:
                process.kill()
            await asyncio.wait([running], timeout=0.01)
    for channel, output in enumerate(outputs, start=1):
        for start in range(0, len(output), READ):
            await socket.send(channel, output[start : start + READ])
    code = started[0].returncode
    if code == 0:
        return await socket.send(3, b'{"metadata":{},"status":"Success"}')
    return await socket.send(
        3,
        _status(
            message=f"command terminated with non-zero exit code: command terminated with exit code {code}",
            reason="NonZeroExitCode",
            details={"causes": [{"reason": "ExitCode", "message": str(code)}]},
        ),
    )


def _run(command: list[str], given: bytes, started: list[subprocess.Popen[bytes]]) -> tuple[bytes, bytes]:
    process = subprocess.Popen(command, stdin=-1, stdout=-1, stderr=-1)
    started.append(process)
    return process.communicate(given)


async def _input(socket: Upgraded) -> bytes:
    """Everything up to the message by which the client ends the input."""
    given = b""
    while (message := await socket.receive()) is not None and message[0] != 255:
        given += message[1]
    return given


async def _copy(socket: Upgraded, channel: int, output: asyncio.StreamReader) -> None:
    while data := await output.read(READ):
        await socket.send(channel, data)


async def _port_forward(socket: Upgraded, switches: StreamSwitches, asked: Asked, query: dict[str, list[str]]) -> None:
    port = int(query["ports"][0])
    await socket.send(0, struct.pack("<H", port))
    await socket.send(1, struct.pack("<H", port))
    if switches.error:
        return await socket.send(1, switches.error.encode())
    try:
        async with _dialled(switches.listening.get((asked.name, port))) as (reader, writer):
            receiving = asyncio.ensure_future(_take(socket, writer))
            try:
                await _copy(socket, 0, reader)
            finally:
                receiving.cancel()
    except ConnectionRefusedError as error:
        sentence = (
            f"error forwarding port {port} to pod {POD}, uid : failed to execute portforward in network namespace"
        )
        await socket.send(1, f"{sentence}: failed to connect to localhost:{port} inside namespace: {error}".encode())
    return None


@asynccontextmanager
async def _dialled(
    where: tuple[str, int] | str | None,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    if where is None:
        raise ConnectionRefusedError("connection refused")
    reader, writer = await (
        asyncio.open_unix_connection(where) if isinstance(where, str) else asyncio.open_connection(*where)
    )
    try:
        yield reader, writer
    finally:
        writer.close()


async def _take(socket: Upgraded, writer: asyncio.StreamWriter) -> None:
    while (message := await socket.receive()) is not None:
        channel, data = message
        if channel == 0:
            writer.write(data)
            await writer.drain()
    writer.close()


def _status(**more: Any) -> bytes:
    return msgspec.json.encode({"metadata": {}, "status": "Failure", **more})
