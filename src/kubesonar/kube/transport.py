"""Requests to the API server: connections kept and streamed, who we are in the header, 401 and 429 minded."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager

import msgspec

from kubesonar import __version__
from kubesonar.kube.credentials import Access, Credentials, CredentialsError
from kubesonar.kube.errors import ApiError, refusal, unanswered, wait_wanted
from kubesonar.net.clock import Clock
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.http import HttpConnection
from kubesonar.net.http_answer import Limits
from kubesonar.net.http_exchange import Request, Response
from kubesonar.net.resolve import Resolver

IDLE = 30.0
"""Seconds for which an idle connection is used again: firewalls forget one, and a POST is not asked twice."""

_IDLE_CONNECTIONS = 2
_ERROR_BODY = 65_536
_AGENT = ("User-Agent", f"kubesonar/{__version__}")
_BUSY = frozenset({429, 503})
"""Statuses with which the API server turns a request away before it does anything (priority and fairness, shutdown)."""


class Call(msgspec.Struct, frozen=True):
    """A request before it is known by whom: `target` is path and query."""

    method: str
    target: str
    body: bytes = b""
    content_type: str = ""


class Transport:
    """Asks one API server. Every failure is an ApiError."""

    def __init__(self, credentials: Credentials, clock: Clock) -> None:
        self._credentials = credentials
        self._clock = clock
        self._resolver = Resolver()
        self._idle: list[tuple[float, HttpConnection]] = []
        self._context: ssl.SSLContext | None = None
        self._turn = 0

    async def ask(self, call: Call, timeout: float, limit: int) -> bytes:
        """The body of a 2xx response, of at most `limit` bytes, within `timeout` seconds: also where the server first
        asks to come again later, as far as there is time."""
        with Deadline(timeout, self._clock) as deadline:
            while True:
                response = await self._admitted(lambda access: self._exchange(call, access, deadline, limit))
                if not await self._comes_again(response, deadline):
                    break
        if response.fault is not None:
            raise unanswered(Failed(response.fault, response.detail))
        if not 200 <= response.status < 300:
            raise refusal(response, response.body)
        if not response.complete:
            raise ApiError(response.status, "TooLarge", f"an answer of more than {limit} bytes")
        return response.body

    @asynccontextmanager
    async def stream(self, call: Call, timeout: float) -> AsyncGenerator[HttpConnection, None]:
        """A connection on which a 2xx response has begun, within `timeout` seconds, and whose body is to be read."""
        opened: list[HttpConnection] = []

        async def begin(access: Access) -> Response:
            for connection in opened:
                connection.close()
            opened[:] = [await self._connection(access, deadline)]
            response = await opened[0].open(self._request(call, access), deadline)
            self._judge(response)
            return response

        try:
            with Deadline(timeout, self._clock) as deadline:
                while True:
                    response = await self._admitted(begin)
                    if not await self._comes_again(response, deadline):
                        break
                if response.fault is not None:
                    raise unanswered(Failed(response.fault, response.detail))
                if not 200 <= response.status < 300:
                    raise refusal(response, await _body(opened[0], timeout))
            yield opened[0]
        except Failed as failed:
            raise unanswered(failed) from None
        finally:
            for connection in opened:
                connection.close()

    def close(self) -> None:
        """Closes what is idle, and gives up looking up names."""
        for _, connection in self._idle:
            connection.close()
        self._idle.clear()
        self._resolver.close()

    async def _admitted(self, ask: Callable[[Access], Awaitable[Response]]) -> Response:
        """Asks, and once more as somebody new where the server does not know who we are: tokens rotate."""
        try:
            access = await self._credentials.access()
            response = await ask(access)
            if response.status == 401:
                fresh = await self._credentials.access(again=True)
                if fresh != access:
                    return await ask(fresh)
        except CredentialsError as error:
            raise ApiError(0, "Credentials", str(error)) from None
        except Failed as failed:
            raise unanswered(failed) from None
        return response

    async def _comes_again(self, response: Response, deadline: Deadline) -> bool:
        wait = wait_wanted(response) if response.status in _BUSY else 0.0
        left = deadline.start + deadline.timeout - deadline.mono()
        if not 0 < wait < left:
            return False
        await asyncio.sleep(wait)
        return True

    async def _exchange(self, call: Call, access: Access, deadline: Deadline, limit: int) -> Response:
        connection = self._take(access.context) or await self._connection(access, deadline, keep=True)
        response = await connection.request(self._request(call, access), deadline, Limits(body=limit))
        self._judge(response)
        if response.complete and len(self._idle) < _IDLE_CONNECTIONS and access.context is self._context:
            self._idle.append((self._clock.mono(), connection))
        else:
            connection.close()
        return response

    def _take(self, context: ssl.SSLContext | None) -> HttpConnection | None:
        """An idle connection; none that was made under other certificates, nor one that rested too long."""
        oldest = self._clock.mono() - IDLE
        if context is not self._context:
            oldest, self._context = float("inf"), context
        kept = [entry for entry in self._idle if entry[0] >= oldest]
        for entry in self._idle:
            if entry not in kept:
                entry[1].close()
        self._idle = kept
        return self._idle.pop()[1] if self._idle else None

    async def _connection(self, access: Access, deadline: Deadline, keep: bool = False) -> HttpConnection:
        server = self._credentials.server
        addresses = await self._resolver.resolve(server.host, 0, deadline)
        address = addresses[self._turn % len(addresses)]
        name = self._credentials.server_name
        return HttpConnection(address, server.port, context=access.context, server_name=name, keep=keep)

    def _judge(self, response: Response) -> None:
        """A server that does not answer at one of its addresses is asked at the next one from then on."""
        if response.fault is not None:
            self._turn += 1

    def _request(self, call: Call, access: Access) -> Request:
        server = self._credentials.server
        url = msgspec.structs.replace(server, target=server.target.rstrip("/") + call.target)
        headers = [_AGENT, ("Accept", "application/json")]
        if access.token:
            headers.append(("Authorization", f"Bearer {access.token}"))
        if call.body:
            headers.append(("Content-Type", call.content_type))
        return Request.make(call.method, url, tuple(headers), call.body)


async def _body(connection: HttpConnection, silence: float) -> bytes:
    body = b""
    async for data in connection.chunks(silence):
        body += data
        if len(body) > _ERROR_BODY:
            break
    return body
