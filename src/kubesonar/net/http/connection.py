"""HTTP/1.1 over one connection at a time, with every phase stamped. Never follows redirects."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from kubesonar.model import Fault, Phase
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.http.exchange import Exchange, HttpRequest, Response
from kubesonar.net.http.response_reader import ResponseLimits, ResponseReader
from kubesonar.net.tcp.stream import Stream, Wire

READ_SIZE = 16_384
"""Most bytes taken from a connection at once."""

_LIMITS = ResponseLimits()
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
"""Methods that may be asked twice (RFC 9110, section 9.2.1)."""


class HttpConnection:
    """Asks one server, given by an IP literal and a port (or "unix:/path"); with a `context` over TLS, as
    `server_name`. With `keep` the connection stays open between requests; one that the server closed meanwhile is
    replaced, and a safe request asked again, within the same deadline. `session` is resumed where the server likes. One
    request at a time; `close` it."""

    def __init__(
        self,
        address: str,
        port: int,
        *,
        context: ssl.SSLContext | None = None,
        server_name: str = "",
        keep: bool = False,
        session: ssl.SSLSession | None = None,
        wire: Callable[[], Wire] = Stream,
    ) -> None:
        self._address = address
        self._port = port
        self._context = context
        self._server_name = server_name
        self._keep = keep
        self._session = session
        self._make = wire
        self._wire: Wire | None = None
        self._running: Exchange | None = None

    async def request(self, request: HttpRequest, deadline: Deadline, limits: ResponseLimits = _LIMITS) -> Response:
        """Asks and reads the response, its body up to `limits.body`. A failure is in the response."""
        exchange = Exchange(request, limits, deadline)
        try:
            await self._ask(exchange)
            while not exchange.answer.enough:
                await self._more(exchange)
            if exchange.answer.size:
                exchange.done(Phase.BODY)
            response = exchange.response(self._wire)
            self._finish(exchange.answer)
        except Failed as failed:
            return exchange.response(self._wire, failed.fault, failed.detail)
        else:
            return response
        finally:
            if not exchange.answer.enough:
                self._abort()

    async def open(self, request: HttpRequest, deadline: Deadline, limits: ResponseLimits = _LIMITS) -> Response:
        """Asks and reads the headers only; the body follows by `chunks` or `lines`. A failure is in the response."""
        exchange = Exchange(request, limits, deadline, streaming=True)
        try:
            await self._ask(exchange)
        except Failed as failed:
            response = exchange.response(self._wire, failed.fault, failed.detail)
            self._abort()
            return response
        except BaseException:
            self._abort()
            raise
        self._running = exchange
        answer = exchange.answer
        return Response(answer.status, tuple(answer.headers), complete=answer.complete, phases=tuple(exchange.phases))

    async def chunks(self, silence: float) -> AsyncGenerator[bytes, None]:
        """The body of the response that `open` began, as it comes in, without an end of its own choosing. Raises
        `Failed`, after `silence` seconds without data too. Close it (`contextlib.aclosing`) to leave it early."""
        if self._running is None:
            raise ValueError("chunks and lines follow open")
        answer, self._running = self._running.answer, None
        try:
            while True:
                if data := answer.take():
                    yield data
                if answer.complete:
                    break
                with Deadline(silence) as deadline:
                    answer.feed(await self._connected.read(READ_SIZE, deadline))
            self._finish(answer)
        finally:
            if not answer.complete:
                self._abort()

    async def lines(self, silence: float, longest: int) -> AsyncGenerator[bytes, None]:
        """As `chunks`, cut at each line feed (left out); the last line may lack it. A line of more than `longest` bytes
        is a wrong answer."""
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
        """Whether a connection is open and waits for the next request."""
        return self._wire is not None and self._running is None

    @property
    def session(self) -> ssl.SSLSession | None:
        """The TLS session of the connection that is kept open, for another to resume."""
        return self._wire.session if self._wire else None

    def close(self) -> None:
        """Closes an idle connection."""
        if self._wire is not None:
            self._wire.close()
            self._wire = None

    async def _ask(self, exchange: Exchange) -> None:
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
        wire = self._wire = self._make()
        await wire.connect(self._address, self._port, exchange.deadline)
        exchange.done(Phase.CONNECT)
        if self._context is not None:
            await wire.start_tls(self._context, self._server_name, exchange.deadline, self._session)
            exchange.done(Phase.TLS)

    async def _send(self, exchange: Exchange) -> None:
        """Writes the request and reads until the headers are complete."""
        await self._connected.write(exchange.request.data, exchange.deadline)
        exchange.done(Phase.WRITE)
        answer = exchange.answer
        answer.feed(await self._connected.read(READ_SIZE, exchange.deadline))
        exchange.done(Phase.FIRST_BYTE)
        while not answer.head:
            await self._more(exchange)
        if exchange.request.method == "HEAD":  # its headers speak of a body that does not come
            answer.complete = True

    async def _more(self, exchange: Exchange) -> None:
        exchange.answer.feed(await self._connected.read(READ_SIZE, exchange.deadline))

    @property
    def _connected(self) -> Wire:
        if self._wire is None:
            raise Failed(Fault.RESET, "the connection is closed")
        return self._wire

    def _finish(self, answer: ResponseReader) -> None:
        if not (self._keep and answer.reusable):
            self.close()

    def _abort(self) -> None:
        if self._wire is not None:
            self._wire.abort()
            self._wire = None


def _bounded(line: bytes, longest: int) -> bytes:
    if len(line) > longest:
        raise Failed(Fault.WRONG_ANSWER, f"a line of more than {longest} bytes")
    return line
