"""One client's connection: HTTP/1.1 parsed by httptools, one request answered at a time, everything timed.

Ours rather than uvicorn's: that has no bound on headers nor on the time a request may take to arrive, wakes ten times
a second, and costs an agent 4 MiB (docs/decisions/0005-own-listeners.md).
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, cast

import httptools

from kubesonar.web.connection_set import Host
from kubesonar.web.deadline import ReadDeadline
from kubesonar.web.exchange import AsgiExchange, canned
from kubesonar.web.request import Incoming, RequestRefused, too_much_head

PIPELINE_LIMIT = 16
"""Requests that a client may send ahead of their answers; a client that sends more loses the rest."""

CLOSE_LINGER = 1.0
"""Seconds for which a refused client's bytes are still swallowed: a reset would take the answer from it."""


class Connection(asyncio.Protocol):
    """Reads requests until one is complete, then stops reading until it is answered."""

    def __init__(self, host: Host, scheme: str) -> None:
        self._host = host
        self._scheme = scheme
        self._parser = httptools.HttpRequestParser(self)
        self._deadline = ReadDeadline(host.loop)
        self._taken = 0
        self._begun = False
        self._ended = False
        self._incoming: Incoming | None = None
        self._queue: deque[Incoming] = deque()
        self._exchange: AsgiExchange | None = None
        self._last = False
        self._deaf = False
        self._paused = False

    @property
    def answering(self) -> bool:
        """Whether an answer is on its way."""
        return self._exchange is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """As asyncio defines it."""
        self._transport = cast(asyncio.Transport, transport)
        self._client = _address(transport.get_extra_info("peername"))
        self._server = _address(transport.get_extra_info("sockname"))
        if self._host.enter(self):
            self._deadline.set(self._host.limits.request, self.close)
        else:
            self._refuse(RequestRefused(503, "too many connections"))

    def connection_lost(self, exc: Exception | None) -> None:
        """As asyncio defines it."""
        self._deadline.cancel()
        self._host.leave(self)
        if self._exchange is not None:
            self._exchange.disconnected()

    def data_received(self, data: bytes) -> None:
        """As asyncio defines it."""
        if self._deaf:
            return
        fresh = self._incoming is None and not self.answering
        self._begun = self._ended = False
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self._last = True
        except httptools.HttpParserError:
            self._refuse(RequestRefused(400, "the request is not HTTP/1.1"))
        self._count(len(data))
        self._check()
        if self.answering:
            self._pause()
        elif self._queue and not self._deaf:
            self._next()
        elif fresh and self._incoming is not None and not self._deaf:
            self._deadline.set(self._host.limits.request, self._too_slow)

    def eof_received(self) -> bool:
        """A client that has sent all its requests may still wait for the answers."""
        self._last = True
        return self.answering

    def pause_writing(self) -> None:
        """As asyncio defines it."""
        if self._exchange is not None:
            self._exchange.writable.clear()

    def resume_writing(self) -> None:
        """As asyncio defines it."""
        if self._exchange is not None:
            self._exchange.writable.set()

    def on_message_begin(self) -> None:
        """As httptools defines it, like the methods below."""
        self._begun = True
        self._incoming = Incoming(self._host.limits)

    def on_url(self, url: bytes) -> None:
        """A piece of the target."""
        cast(Incoming, self._incoming).url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A whole header."""
        cast(Incoming, self._incoming).header(name, value)

    def on_headers_complete(self) -> None:
        """The head is there."""
        incoming = cast(Incoming, self._incoming)
        incoming.head(self._parser)
        if incoming.expects_continue and incoming.refusal is None and not self.answering:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def on_body(self, body: bytes) -> None:
        """A piece of the body."""
        cast(Incoming, self._incoming).data(body)

    def on_message_complete(self) -> None:
        """The request is there in full."""
        self._ended = True
        incoming, self._incoming = cast(Incoming, self._incoming), None
        if incoming.refusal is not None:
            self._refuse(incoming.refusal)
        elif len(self._queue) < PIPELINE_LIMIT and not self._deaf:
            self._queue.append(incoming)
        else:
            self._last = True

    def answered(self, *, keep_alive: bool) -> None:
        """The exchange is over: on to the next request, or an end."""
        self._exchange = None
        if self._transport.is_closing():
            return
        if not keep_alive or self._host.stopping:
            self._queue.clear()
            self.close()
        elif self._queue:
            self._next()
        elif self._last:
            self.close()
        elif self._incoming is None:
            self._deadline.set(self._host.limits.idle, self.close)
            self._resume()
        else:
            self._deadline.set(self._host.limits.request, self._too_slow)
            self._resume()

    def close(self) -> None:
        """Closes once what was written has been taken, at the latest after the time for a response."""
        self._deaf = True
        self._transport.close()
        self._deadline.set(self._host.limits.response, self.abort)

    def abort(self) -> None:
        """Cuts the connection."""
        self._deadline.cancel()
        self._transport.abort()

    def _next(self) -> None:
        incoming = self._queue.popleft()
        scope = incoming.scope(self._scheme, self._client, self._server)
        if scope is None:
            self._refuse(RequestRefused(400, "the request's target is not a path"))
            return
        self._deadline.set(self._host.limits.response, self.abort)
        keep_alive = incoming.keep_alive and not self._host.stopping and not (self._last and not self._queue)
        self._exchange = AsgiExchange(
            self._host, self._transport, scope, bytes(incoming.body), keep_alive, self.answered
        )
        self._exchange.begin()

    def _count(self, size: int) -> None:
        """Bytes of the request that is coming in. The parser does not say where in a piece a request begins: one that
        begins behind the end of another is granted what came with that one."""
        if self._begun:
            self._taken = 0 if self._ended else size
        else:
            self._taken += size

    def _check(self) -> None:
        """Bounds on a request that is not complete; framing of chunks may take as much again as the body."""
        limits, incoming = self._host.limits, self._incoming
        if incoming is None or self._deaf:
            return
        if incoming.refusal is not None:
            self._refuse(incoming.refusal)
        elif not incoming.head_done and self._taken > limits.head:
            self._refuse(too_much_head(limits))
        elif self._taken > 2 * limits.head + 2 * limits.body:
            self._refuse(RequestRefused(413, f"a request's body may have at most {limits.body} bytes"))

    def _too_slow(self) -> None:
        self._refuse(RequestRefused(408, f"the request did not arrive within {self._host.limits.request:g} s"))

    def _refuse(self, refusal: RequestRefused) -> None:
        if self._deaf:
            return
        self._host.refused += 1
        self._deaf = True
        self._queue.clear()
        if self.answering:
            self._last = True
            return
        self._transport.write(canned(refusal.status, refusal.error, self._host.date()))
        if self._transport.can_write_eof():
            self._transport.write_eof()
            self._deadline.set(CLOSE_LINGER, self.abort)
        else:
            self.close()

    def _pause(self) -> None:
        """A client that sends on while it is answered has to wait; most do not, so most cost no system call."""
        if not self._paused:
            self._paused = True
            self._transport.pause_reading()

    def _resume(self) -> None:
        if self._paused:
            self._paused = False
            self._transport.resume_reading()


def _address(info: Any) -> tuple[str, int | None] | None:
    """As ASGI wants an address: host and port, a Unix socket's path and None, or None."""
    if isinstance(info, tuple):
        return str(info[0]), int(info[1])
    return (str(info), None) if info else None
