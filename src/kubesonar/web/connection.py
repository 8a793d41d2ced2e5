"""One client's connection: HTTP/1.1, one request answered at a time, every wait limited.

Why not uvicorn's: docs/decisions/0005-own-listeners.md.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import cast

from kubesonar.web.connection_set import ConnectionSet
from kubesonar.web.deadline import ReadDeadline
from kubesonar.web.handler import Request
from kubesonar.web.reply_writer import ReplyWriter, error_response
from kubesonar.web.request_reader import ParsedRequest, RequestReader, RequestRefused

PIPELINE_LIMIT = 16
"""Requests that a client may send ahead of their replies; a client that sends more loses the rest."""

CLOSE_LINGER = 1.0
"""Seconds for which a refused client's bytes are still read and dropped: a reset would destroy the reply on its way."""

_LOG = logging.getLogger("kubesonar.web")


class Connection(asyncio.Protocol):
    """The asyncio protocol of one connection. It reads until a request is complete, and reads on once that is
    answered."""

    def __init__(self, shared: ConnectionSet) -> None:
        self.held = 0
        self._shared = shared
        self._reader = RequestReader(shared.limits)
        self._deadline = ReadDeadline(shared.loop)
        self._queue: deque[ParsedRequest] = deque()
        self._writer: ReplyWriter | None = None
        self._task: asyncio.Task[None] | None = None
        self._last = False
        self._closing = False
        self._paused = False
        self._answered_size = 0

    @property
    def answering(self) -> bool:
        """Whether a reply is on its way."""
        return self._writer is not None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Set limits. asyncio calls this method, and those below up to `resume_writing`."""
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self._scheme = "https" if transport.get_extra_info("sslcontext") else "http"
        self._client = (str(peer[0]), int(peer[1])) if isinstance(peer, tuple) else None
        if self._shared.enter(self):
            self._deadline.set(self._shared.limits.request, self.close)
        else:
            self._refuse(RequestRefused(503, "too many connections"))

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the handler of a request that nobody waits for any more."""
        self._deadline.cancel()
        self._reader.drop()
        self._queue.clear()
        self._answered_size = 0
        self._shared.leave(self)
        if self._task is not None:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        """Parse what came and answer the first request that is complete."""
        if self._closing:
            return
        fresh = not self._reader.reading and not self.answering
        for parsed in self._reader.feed(data):
            self._enqueue(parsed)
        self._last = self._last or self._reader.ended
        self._weigh()
        if self._closing:
            return
        if self._reader.refusal is not None:
            self._refuse(self._reader.refusal)
        elif self.answering:
            self._pause()
        elif self._queue:
            self._next()
        elif self._reader.reading:
            if self._reader.expects_continue:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            if fresh:
                self._deadline.set(self._shared.limits.request, self._too_slow)

    def eof_received(self) -> bool:
        """Keep the connection for a client that has sent all its requests and waits for a reply."""
        self._last = True
        return self.answering

    def pause_writing(self) -> None:
        """Stop the reply: the client does not take it."""
        if self._writer is not None:
            self._writer.writable.clear()

    def resume_writing(self) -> None:
        """Let the reply go on."""
        if self._writer is not None:
            self._writer.writable.set()

    def close(self) -> None:
        """Close once the client has taken what was written, at the latest after the time for a response."""
        self._closing = True
        self._transport.close()
        self._deadline.set(self._shared.limits.response, self.abort)

    def abort(self) -> None:
        """Close at once."""
        self._deadline.cancel()
        self._transport.abort()

    def overtake(self) -> None:
        """Refuse what has not arrived in full: bodies of all connections take too much room."""
        self._refuse(RequestRefused(503, "too many request bodies at once"))

    def _weigh(self) -> None:
        """Tell the set how much room the bodies of this connection take."""
        waiting = sum(len(parsed.body) for parsed in self._queue)
        self._shared.hold(self, self._reader.held + waiting + self._answered_size)

    def _enqueue(self, parsed: ParsedRequest) -> None:
        if len(self._queue) < PIPELINE_LIMIT:
            self._queue.append(parsed)
        else:
            self._last = True

    def _next(self) -> None:
        """Begin to answer the request that came first."""
        parsed = self._queue.popleft()
        request = parsed.request(self._client, self._scheme)
        if request is None:
            self._refuse(RequestRefused(400, "the request's target is not a path"))
            return
        self._answered_size = len(request.body)
        self._deadline.set(self._shared.limits.response, self.abort)
        keep_alive = parsed.keep_alive and not (self._last and not self._queue)
        writer = ReplyWriter(self._shared, self._transport, request, http11=parsed.http11, keep_alive=keep_alive)
        self._writer = writer
        self._task = self._shared.loop.create_task(writer.run())
        self._task.add_done_callback(lambda task: self._answered(task, request, writer))

    def _answered(self, task: asyncio.Task[None], request: Request, writer: ReplyWriter) -> None:
        """Go on to the next request, or close."""
        self._writer = self._task = None
        self._answered_size = 0
        self._weigh()
        error = None if task.cancelled() else task.exception()
        if error is not None:
            message = f"answering {request.path} crashed: a bug of kubesonar"
            self._shared.loop.call_exception_handler({"message": message, "exception": error})
        if self._transport.is_closing():
            return
        if not writer.complete:
            self._break_off(writer)
        elif not writer.keep_alive or self._shared.stopping or (self._last and not self._queue):
            self._queue.clear()
            self.close()
        elif self._queue:
            self._next()
        else:
            self._wait()

    def _break_off(self, writer: ReplyWriter) -> None:
        """End a connection whose handler failed: with a status where none was sent yet."""
        if writer.begun:
            self.abort()
            return
        refusal = RequestRefused(500, "this is a bug of kubesonar, its log says more")
        self._transport.write(error_response(refusal, self._shared.date()))
        self.close()

    def _wait(self) -> None:
        """Read on, for the rest of a request or for another one."""
        if self._reader.reading:
            self._deadline.set(self._shared.limits.request, self._too_slow)
        else:
            self._deadline.set(self._shared.limits.idle, self.close)
        if self._paused:
            self._paused = False
            self._transport.resume_reading()

    def _too_slow(self) -> None:
        self._refuse(RequestRefused(408, f"the request did not arrive within {self._shared.limits.request:g} s"))

    def _refuse(self, refusal: RequestRefused) -> None:
        """Send an error and close; while a reply is on its way, only close after it."""
        self._shared.refused += 1
        self._closing = True
        self._queue.clear()
        self._reader.drop()
        self._weigh()
        if self.answering:
            self._last = True
            return
        self._transport.write(error_response(refusal, self._shared.date()))
        if self._transport.can_write_eof():
            self._transport.write_eof()
            self._deadline.set(CLOSE_LINGER, self.abort)
        else:
            self.close()

    def _pause(self) -> None:
        """Stop reading from a client that sends on while it is answered; most do not, so this is not done for every
        request, which would cost a system call."""
        if not self._paused:
            self._paused = True
            self._transport.pause_reading()
