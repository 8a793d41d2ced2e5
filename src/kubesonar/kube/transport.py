"""Requests to the API server: with the caller's credentials, 401 and 429 heeded, every failure an ApiError."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager

import msgspec

from kubesonar.kube.auth.credential_file import CredentialsError
from kubesonar.kube.auth.credentials import Access, Credentials
from kubesonar.kube.errors import ApiError, refusal, unanswered, wait_wanted
from kubesonar.net.clock import Clock
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.dns.system_resolver import Resolver
from kubesonar.net.http.client import HttpClient
from kubesonar.net.http.connection import HttpConnection
from kubesonar.net.http.exchange import USER_AGENT, HttpRequest, Response
from kubesonar.net.http.origin import Origin
from kubesonar.net.http.pool import ConnectionPool
from kubesonar.net.http.proxy.route import origin_of, request_of
from kubesonar.net.http.response_reader import ResponseLimits

API_IDLE = 30.0
"""Seconds for which an idle connection is used again. Higher: firewalls forget it, and a POST is not sent twice; lower:
more TLS handshakes with the API server."""

_KEPT = 2
_ERROR_BODY = 65_536
_BUSY = frozenset({429, 503})
"""Statuses with which the API server turns a request away before it does anything (priority and fairness, shutdown)."""


class ApiRequest(msgspec.Struct, frozen=True):
    """A request without credentials; `target` is path and query."""

    method: str
    target: str
    body: bytes = b""
    content_type: str = ""


class ApiTransport:
    """Sends requests to one API server, whose name, if it has one, the `resolver` looks up. An address that failed is
    tried last by the next request, one that was good first. Every failure is an ApiError. `close` it."""

    def __init__(self, credentials: Credentials, clock: Clock, resolver: Resolver | None = None) -> None:
        self._credentials = credentials
        self._clock = clock
        self._addresses: list[str] = []
        self._first = 0
        pool = ConnectionPool(1, each=_KEPT, idle=API_IDLE, clock=clock)
        self._client = HttpClient(pool=pool, resolver=resolver, choose=self._rotated)

    async def ask(self, call: ApiRequest, timeout: float, limit: int) -> bytes:
        """Return the body of a 2xx response, of at most `limit` bytes, within `timeout` seconds; a server that asks to
        come again later is asked again as far as there is time."""
        with Deadline(timeout, self._clock) as deadline:

            async def exchange(access: Access) -> Response:
                request, limits = self._request(call, access), ResponseLimits(body=limit)
                return await self._client.request(self._origin(access), request, deadline, limits)

            response = await self._answered(exchange, deadline)
        if not _well(response):
            raise refusal(response, response.body, self._clock.wall())
        if not response.complete:
            raise ApiError(response.status, "TooLarge", f"an answer of more than {limit} bytes")
        return response.body

    @asynccontextmanager
    async def stream(self, call: ApiRequest, timeout: float) -> AsyncGenerator[HttpConnection, None]:
        """Yield a connection on which a 2xx response has begun, within `timeout` seconds, to read its body from."""
        lent: list[tuple[Origin, HttpConnection]] = []

        async def begin(access: Access) -> Response:
            self._give_back(lent)
            origin = self._origin(access)
            connection, response = await self._client.open(origin, self._request(call, access), deadline)
            lent.append((origin, connection))
            return response

        try:
            with Deadline(timeout, self._clock) as deadline:
                response = await self._answered(begin, deadline)
                if not _well(response):
                    raise refusal(response, await _error_body(lent[0][1], timeout), self._clock.wall())
            yield lent[0][1]
        except Failed as failed:
            raise unanswered(failed) from None
        finally:
            self._give_back(lent)

    def close(self) -> None:
        """Close idle connections and cancel look-ups."""
        self._client.close()

    def _give_back(self, lent: list[tuple[Origin, HttpConnection]]) -> None:
        while lent:
            self._client.release(*lent.pop())

    async def _answered(self, ask: Callable[[Access], Awaitable[Response]], deadline: Deadline) -> Response:
        """Return a response, whatever it says; not one that asks to come again, where there is time for that."""
        while True:
            response = await self._admitted(ask)
            if response.address in self._addresses:
                self._first = self._addresses.index(response.address) + (response.fault is not None)
            if response.fault is not None:
                raise unanswered(Failed(response.fault, response.detail))
            wait = wait_wanted(response, self._clock.wall()) if response.status in _BUSY else 0.0
            if not 0 < wait < deadline.left:
                return response
            await asyncio.sleep(wait)

    async def _admitted(self, ask: Callable[[Access], Awaitable[Response]]) -> Response:
        """Ask, and once more with fresh credentials where the server refuses them: tokens rotate."""
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

    def _rotated(self, addresses: list[str]) -> list[str]:
        self._addresses = addresses
        first = self._first % len(addresses)
        return addresses[first:] + addresses[:first]

    def _origin(self, access: Access) -> Origin:
        credentials = self._credentials
        origin = origin_of(credentials.server, access.context, credentials.proxy)
        return msgspec.structs.replace(origin, server_name=credentials.server_name)

    def _request(self, call: ApiRequest, access: Access) -> HttpRequest:
        server = self._credentials.server
        url = msgspec.structs.replace(server, target=server.target.rstrip("/") + call.target)
        headers = [USER_AGENT, ("Accept", "application/json")]
        if access.token:
            headers.append(("Authorization", f"Bearer {access.token}"))
        if call.body:
            headers.append(("Content-Type", call.content_type))
        return request_of(call.method, url, tuple(headers), self._credentials.proxy, call.body)


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
