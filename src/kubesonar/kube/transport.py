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
    """Asks one API server, whose name, if it has one, a `resolver` looks up. Every failure is an ApiError."""

    def __init__(self, credentials: Credentials, clock: Clock, resolver: Resolver | None = None) -> None:
        self._credentials = credentials
        self._clock = clock
        self._resolver = resolver or Resolver()
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
            request = self._request(call, access)
            connection, response = await self._connect(access, deadline, lambda it: it.open(request, deadline))
            opened[:] = [connection]
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
        request, limits = self._request(call, access), Limits(body=limit)
        connection = self._take(access.context)
        if connection is not None:
            response = await connection.request(request, deadline, limits)
        else:
            connection, response = await self._connect(
                access, deadline, lambda it: it.request(request, deadline, limits)
            )
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

    async def _connect(
        self, access: Access, deadline: Deadline, ask: Callable[[HttpConnection], Awaitable[Response]]
    ) -> tuple[HttpConnection, Response]:
        """Asks on a new connection: at each of the server's addresses in turn until one lets us in, and from then on
        there first."""
        server, name = self._credentials.server, self._credentials.server_name
        addresses = await self._resolver.resolve(server.host, 0, deadline)
        for left in range(len(addresses) - 1, -1, -1):
            address = addresses[self._turn % len(addresses)]
            connection = HttpConnection(address, server.port, context=access.context, server_name=name, keep=True)
            response = await ask(connection)
            if response.fault is None:
                break
            self._turn += 1
            if response.phases or deadline.over or not left:
                break
        return connection, response

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
