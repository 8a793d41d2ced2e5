"""One request and its response, between an ASGI application and a connection."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, Protocol

import msgspec

from kubesonar.web.asgi import AsgiMessage, Scope
from kubesonar.web.connection_set import Host

_LOG = logging.getLogger("kubesonar.web")
_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
_BODILESS = frozenset({204, 304})


class Answered(Protocol):
    """What an exchange calls when it is over."""

    def __call__(self, *, keep_alive: bool) -> None:
        """`keep_alive` says whether the client may send another request."""
        ...


class AsgiExchange:
    """Runs the application for one request, which has arrived in full."""

    def __init__(
        self, host: Host, transport: asyncio.Transport, scope: Scope, body: bytes, keep_alive: bool, answered: Answered
    ) -> None:
        self._host = host
        self._transport = transport
        self._scope = scope
        self._body: bytes | None = body
        self._keep_alive = keep_alive
        self._answered = answered
        self._gone = asyncio.Event()
        self._head: bytes | None = None
        self._chunked = False
        self._begun = False
        self._complete = False
        self.writable = asyncio.Event()
        self.writable.set()

    def begin(self) -> None:
        """Starts the application."""
        self._task = self._host.loop.create_task(self._run())
        self._task.add_done_callback(self._done)

    def disconnected(self) -> None:
        """The client has gone."""
        self._gone.set()
        self.writable.set()

    async def _run(self) -> None:
        await self._host.app(self._scope, self._receive, self._send)

    async def _receive(self) -> AsgiMessage:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        await self._gone.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: AsgiMessage) -> None:
        if self._gone.is_set():
            return
        if message["type"] == "http.response.start":
            self._start(message["status"], message.get("headers", ()))
        elif message["type"] == "http.response.body":
            self._write(message.get("body", b""), more=message.get("more_body", False))
            await self.writable.wait()

    def _start(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        fields = [(bytes(name).lower(), bytes(value)) for name, value in headers]
        if any(b"\n" in part or b"\r" in part for field in fields for part in field):
            raise ValueError("a response header holds a line break")
        names = {name for name, _ in fields}
        bodiless = status in _BODILESS
        if b"content-length" not in names and not bodiless:
            self._chunked = self._scope["http_version"] == "1.1"
            self._keep_alive = self._keep_alive and self._chunked
        if (b"connection", b"close") in fields or self._host.stopping:
            self._keep_alive = False
        fields += [(b"transfer-encoding", b"chunked")] if self._chunked else []
        fields += [] if b"connection" in names else [(b"connection", b"keep-alive" if self._keep_alive else b"close")]
        self._head = _head(status, fields, self._host.date())

    def _write(self, body: bytes, *, more: bool) -> None:
        if self._head is None or self._complete:
            raise RuntimeError("a response's body before its start, or after its end")
        payload = b"" if self._scope["method"] == "HEAD" else self._framed(body, more)
        if payload or not self._begun:
            self._transport.write(payload if self._begun else self._head + payload)
        self._begun = True
        self._complete = not more

    def _framed(self, body: bytes, more: bool) -> bytes:
        if not self._chunked:
            return body
        piece = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
        return piece if more else piece + b"0\r\n\r\n"

    def _done(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            _LOG.error("answering %s crashed: a bug of kubesonar", self._scope["path"], exc_info=error)
        if self._complete or self._gone.is_set():
            self._answered(keep_alive=self._keep_alive)
        elif self._begun:
            self._transport.abort()
            self._answered(keep_alive=False)
        else:
            self._transport.write(canned(500, "this is a bug of kubesonar, its log says more", self._host.date()))
            self._answered(keep_alive=False)


def canned(status: int, error: str, date: bytes) -> bytes:
    """A whole response that closes the connection, with the JSON that every error has."""
    body = msgspec.json.encode({"error": error})
    fields = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    return _head(status, fields, date) + body


def _head(status: int, fields: list[tuple[bytes, Any]], date: bytes) -> bytes:
    line = _LINES.get(status) or b"HTTP/1.1 %d \r\n" % status
    return line + b"date: " + date + b"\r\n" + b"".join(b"%b: %b\r\n" % field for field in fields) + b"\r\n"
