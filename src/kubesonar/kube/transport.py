"""Requests to the API server: who we are in the header, 401 and 429 minded, every failure an ApiError."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager

import msgspec

from kubesonar import __version__
from kubesonar.kube.auth.credential_file import CredentialsError
from kubesonar.kube.auth.credentials import Access, Credentials
from kubesonar.kube.connections import ApiConnections
from kubesonar.kube.errors import ApiError, refusal, unanswered, wait_wanted
from kubesonar.net.clock import Clock
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.dns.system_resolver import Resolver
from kubesonar.net.http.connection import HttpConnection
from kubesonar.net.http.exchange import HttpRequest, Response
from kubesonar.net.http.response_reader import ResponseLimits

_ERROR_BODY = 65_536
_AGENT = ("User-Agent", f"kubesonar/{__version__}")
_BUSY = frozenset({429, 503})
"""Statuses with which the API server turns a request away before it does anything (priority and fairness, shutdown)."""


class ApiRequest(msgspec.Struct, frozen=True):
    """A request before it is known by whom: `target` is path and query."""

    method: str
    target: str
    body: bytes = b""
    content_type: str = ""


class ApiTransport:
    """Asks one API server, whose name, if it has one, a `resolver` looks up. Every failure is an ApiError."""

    def __init__(self, credentials: Credentials, clock: Clock, resolver: Resolver | None = None) -> None:
        self._credentials = credentials
        self._clock = clock
        self._resolver = resolver or Resolver()
        self._connections = ApiConnections(credentials, clock, self._resolver)

    async def ask(self, call: ApiRequest, timeout: float, limit: int) -> bytes:
        """The body of a 2xx response, of at most `limit` bytes, within `timeout` seconds: also where the server first
        asks to come again later, as far as there is time."""
        with Deadline(timeout, self._clock) as deadline:

            async def exchange(access: Access) -> Response:
                request, limits = self._request(call, access), ResponseLimits(body=limit)
                asked = self._connections.ask(access, deadline, lambda it: it.request(request, deadline, limits))
                connection, response = await asked
                self._connections.done(connection, access)
                return response

            response = await self._answered(exchange, deadline)
        if not _well(response):
            raise refusal(response, response.body)
        if not response.complete:
            raise ApiError(response.status, "TooLarge", f"an answer of more than {limit} bytes")
        return response.body

    @asynccontextmanager
    async def stream(self, call: ApiRequest, timeout: float) -> AsyncGenerator[HttpConnection, None]:
        """A connection on which a 2xx response has begun, within `timeout` seconds, and whose body is to be read."""
        lent: list[tuple[HttpConnection, Access]] = []

        async def begin(access: Access) -> Response:
            self._give_back(lent)
            request = self._request(call, access)
            connection, response = await self._connections.ask(access, deadline, lambda it: it.open(request, deadline))
            lent.append((connection, access))
            return response

        try:
            with Deadline(timeout, self._clock) as deadline:
                response = await self._answered(begin, deadline)
                if not _well(response):
                    raise refusal(response, await _error_body(lent[0][0], timeout))
            yield lent[0][0]
        except Failed as failed:
            raise unanswered(failed) from None
        finally:
            self._give_back(lent)

    def close(self) -> None:
        """Closes what is idle, and gives up looking up names."""
        self._connections.close()
        self._resolver.close()

    def _give_back(self, lent: list[tuple[HttpConnection, Access]]) -> None:
        while lent:
            self._connections.done(*lent.pop())

    async def _answered(self, ask: Callable[[Access], Awaitable[Response]], deadline: Deadline) -> Response:
        """A response, whatever it says; not one that asks to come again, where there is time for that."""
        while True:
            response = await self._admitted(ask)
            if response.fault is not None:
                raise unanswered(Failed(response.fault, response.detail))
            wait = wait_wanted(response) if response.status in _BUSY else 0.0
            if not 0 < wait < deadline.start + deadline.timeout - deadline.mono():
                return response
            await asyncio.sleep(wait)

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

    def _request(self, call: ApiRequest, access: Access) -> HttpRequest:
        server = self._credentials.server
        url = msgspec.structs.replace(server, target=server.target.rstrip("/") + call.target)
        headers = [_AGENT, ("Accept", "application/json")]
        if access.token:
            headers.append(("Authorization", f"Bearer {access.token}"))
        if call.body:
            headers.append(("Content-Type", call.content_type))
        return HttpRequest.make(call.method, url, tuple(headers), call.body)


def _well(response: Response) -> bool:
    return 200 <= response.status < 300


async def _error_body(connection: HttpConnection, silence: float) -> bytes:
    body = b""
    async with aclosing(connection.chunks(silence)) as chunks:
        async for data in chunks:
            body += data
            if len(body) > _ERROR_BODY:
                break
    return body
