"""The reply to one request: called for, framed and written to the client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from http import HTTPStatus

from kubesonar.web.connection_set import ConnectionSet
from kubesonar.web.handler import Reply, Request, error_reply
from kubesonar.web.request_reader import RequestRefused

_LINES = {status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus}
_BODILESS = frozenset({204, 304})


class ReplyWriter:
    """Writes the reply to one request. `begun` and `complete` say how far it has got, `keep_alive` whether the client
    may send another request afterwards; `writable` is cleared while the client does not take what was written."""

    def __init__(
        self, shared: ConnectionSet, transport: asyncio.Transport, request: Request, *, http11: bool, keep_alive: bool
    ) -> None:
        self.begun = False
        self.complete = False
        self.keep_alive = keep_alive
        self.writable = asyncio.Event()
        self.writable.set()
        self._shared = shared
        self._transport = transport
        self._request = request
        self._http11 = http11

    async def run(self) -> None:
        """Call the handler and write what it returns, until the client has taken it. Raises whatever the handler
        raises, and ValueError for a header that holds a line break."""
        reply = await self._shared.handler(self._request)
        if isinstance(reply.body, bytes):
            length = [] if reply.status in _BODILESS else [(b"content-length", b"%d" % len(reply.body))]
            await self._write(self._head(reply, length) + (b"" if self._request.method == "HEAD" else reply.body))
        else:
            await self._stream(reply, reply.body)
        self.complete = True

    async def _stream(self, reply: Reply, body: AsyncGenerator[bytes, None]) -> None:
        """Write the pieces in chunks (RFC 9112, section 7.1); for HTTP/1.0 as they are, and close the connection."""
        self.keep_alive = self.keep_alive and self._http11
        async with aclosing(body):
            await self._write(self._head(reply, [(b"transfer-encoding", b"chunked")] if self._http11 else []))
            if self._request.method == "HEAD":
                return
            async for piece in body:
                if piece:
                    await self._write(b"%x\r\n%b\r\n" % (len(piece), piece) if self._http11 else piece)
        if self._http11:
            await self._write(b"0\r\n\r\n")

    async def _write(self, data: bytes) -> None:
        self._transport.write(data)
        self.begun = True
        await self.writable.wait()

    def _head(self, reply: Reply, framing: list[tuple[bytes, bytes]]) -> bytes:
        self.keep_alive = self.keep_alive and not self._shared.stopping
        last = (b"connection", b"keep-alive" if self.keep_alive else b"close")
        return response_head(reply.status, [*reply.fields, *framing, last], self._shared.date())


def error_response(refusal: RequestRefused, date: bytes) -> bytes:
    """Return a whole response that closes the connection; `date` is the Date header's value."""
    reply = error_reply(refusal.status, refusal.error)
    assert isinstance(reply.body, bytes)
    framing = [(b"content-length", b"%d" % len(reply.body)), (b"connection", b"close")]
    return response_head(reply.status, [*reply.fields, *framing], date) + reply.body


def response_head(status: int, fields: list[tuple[bytes, bytes]], date: bytes) -> bytes:
    """Return status line and headers. Raises ValueError for a header that holds a line break."""
    if any(b"\n" in part or b"\r" in part for field in fields for part in field):
        raise ValueError("a response header holds a line break")
    line = _LINES.get(status) or b"HTTP/1.1 %d \r\n" % status
    return line + b"date: " + date + b"\r\n" + b"".join(b"%b: %b\r\n" % field for field in fields) + b"\r\n"
