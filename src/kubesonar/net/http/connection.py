"""The one HTTP/1.1 request and response loop, over one connection at a time, with every phase timed."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from kubesonar.model import Fault, Phase
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.http.exchange import Exchange, HttpRequest, Response
from kubesonar.net.http.origin import Origin
from kubesonar.net.http.response_reader import ResponseLimits, ResponseReader
from kubesonar.net.tcp.dialer import Dialer, DialOptions
from kubesonar.net.tcp.stream import Wire

READ_SIZE = 16_384
"""Bytes of one read. Lower: more calls for a long body; higher: more memory for every read."""

_LIMITS = ResponseLimits()
_DIAL = DialOptions()
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that may be sent twice (RFC 9110, section 9.2.1)."""


class HttpConnection:
    """A connection to an origin at one of its `addresses` (IP literals or one "unix:/path"; none: the origin's host),
    which are tried as `dial` says; `address` is the latest. With `keep` it stays open between requests; one that the
    server closed meanwhile is replaced, and a safe request sent again, within the same deadline. `session` is a TLS
    session to resume. Redirects are not followed. One request at a time; without `keep` it closes itself after the
    response.

    Used by the HTTP probe and the KNH room directly and by all other clients through `HttpClient`."""

    def __init__(
        self,
        origin: Origin,
        addresses: Sequence[str] = (),
        *,
        keep: bool = False,
        session: ssl.SSLSession | None = None,
        dial: DialOptions = _DIAL,
    ) -> None:
        self.address = origin.host
        self._origin = origin
        self._addresses = addresses or [origin.host]
        self._keep = keep
        self._session = session
        self._dial = dial
        self._wire: Wire | None = None
        self._running: ResponseReader | None = None

    async def request(
        self, request: HttpRequest, deadline: Deadline, limits: ResponseLimits = _LIMITS, *, streaming: bool = False
    ) -> Response:
        """Send the request and return the response with its body up to `limits.body`, or, with `streaming`, without its
        body, which `chunks` or `lines` read. A failure is in the response."""
        exchange, head = Exchange(request, limits, deadline, streaming), False
        try:
            await self._ask(exchange)
            answer, head = exchange.answer, streaming
            while not (head or answer.enough):
                answer.feed(await self._connected.read(READ_SIZE, deadline))
            if answer.size and not head:
                exchange.done(Phase.BODY)
            return exchange.response(self._wire, self.address)
        except Failed as failed:
            return exchange.response(self._wire, self.address, failed)
        finally:
            if head:
                self._running = exchange.answer
            else:
                self._finish(exchange.answer, exchange.answer.enough)

    async def chunks(self, silence: float) -> AsyncGenerator[bytes, None]:
        """Yield the body of the response that began with `streaming`, as it comes in and however long it is. Raises
        `Failed`, also after `silence` seconds without data. Close it (`contextlib.aclosing`) to leave it early."""
        if self._running is None:
            raise ValueError("chunks and lines follow a request with streaming")
        answer, self._running = self._running, None
        try:
            while True:
                if data := answer.take():
                    yield data
                if answer.complete:
                    break
                with Deadline(silence) as deadline:
                    answer.feed(await self._connected.read(READ_SIZE, deadline))
        finally:
            self._finish(answer, answer.complete)

    async def lines(self, silence: float, longest: int) -> AsyncGenerator[bytes, None]:
        """Yield as `chunks` does, cut at each line feed (left out); the last line may lack it. A line of more than
        `longest` bytes is a wrong answer."""
        rest = b""
        async with aclosing(self.chunks(silence)) as chunks:
            async for data in chunks:
                *whole, rest = (rest + data).split(b"\n")
                for line in whole:
                    yield _bounded(line, longest)
                _bounded(rest, longest)
        if rest:
            yield rest

    @property
    def idle(self) -> bool:
        """Whether the connection is open and ready for the next request."""
        return self._wire is not None and self._running is None

    @property
    def session(self) -> ssl.SSLSession | None:
        """The TLS session of the connection while it is open, for another connection to resume."""
        return self._wire.session if self._wire else None

    def answer_in_ticks(self) -> None:
        """Read answers over the connection that is open in the loop's ticks from now on: see `Stream`."""
        if self._wire is not None:
            self._wire.answer_in_ticks()

    def close(self) -> None:
        """Close the connection."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    async def _ask(self, exchange: Exchange) -> None:
        """Send the request and read the head, over the open connection where it is still good."""
        if self._wire is not None and self._wire.stale():
            self.close()
        if self._wire is None:
            await self._connect(exchange)
            return await self._send(exchange)
        before = self._wire.tcp_info()
        exchange.reused, exchange.retransmits = True, before.retransmits if before else 0
        try:
            await self._send(exchange)
        except Failed as failed:
            answered = failed.fault is not Fault.RESET or exchange.answer.fed
            if answered or exchange.request.method not in _SAFE:
                raise
            self._abort()
            exchange.begin()
            await self._connect(exchange)
            await self._send(exchange)
        return None

    async def _connect(self, exchange: Exchange) -> None:
        origin = self._origin
        dialer = Dialer(origin.wire, self._addresses, origin.port, self._dial)
        try:
            wire = await dialer.connect(exchange.deadline)
        finally:
            self._wire, self.address = dialer.wire, dialer.address
        exchange.remark = dialer.remark
        self._addresses = [dialer.address]  # what was said of this server holds when it is connected to again
        exchange.done(Phase.CONNECT)
        if origin.secure and origin.context is not None:
            await wire.start_tls(origin.context, origin.server_name, exchange.deadline, self._session)
            exchange.done(Phase.TLS)

    async def _send(self, exchange: Exchange) -> None:
        answer, deadline = exchange.answer, exchange.deadline
        await self._connected.write(exchange.request.data, deadline)
        exchange.done(Phase.WRITE)
        answer.feed(await self._connected.read(READ_SIZE, deadline))
        exchange.done(Phase.FIRST_BYTE)
        while not answer.head:
            answer.feed(await self._connected.read(READ_SIZE, deadline))

    @property
    def _connected(self) -> Wire:
        if self._wire is None:
            raise Failed(Fault.RESET, "the connection is closed")
        return self._wire

    def _finish(self, answer: ResponseReader, well: bool) -> None:
        if not well:
            self._abort()
        elif not (self._keep and answer.reusable):
            self.close()

    def _abort(self) -> None:
        if self._wire is not None:
            self._wire.abort()
            self._wire = None


def _bounded(line: bytes, longest: int) -> bytes:
    if len(line) > longest:
        raise Failed(Fault.WRONG_ANSWER, f"a line of more than {longest} bytes")
    return line
