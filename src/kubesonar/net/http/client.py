"""Requests to a server by name, over an idle connection or at whichever of its addresses accepts one; and whole
documents by such requests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from types import TracebackType
from typing import Self

import msgspec

from kubesonar.model import Phase, Span
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.dns.system_resolver import Resolver
from kubesonar.net.http.ca_contexts import CaContexts
from kubesonar.net.http.connection import HttpConnection
from kubesonar.net.http.exchange import CLOSE, HttpRequest, Response
from kubesonar.net.http.origin import Origin
from kubesonar.net.http.pool import ConnectionPool
from kubesonar.net.http.response_reader import ResponseLimits
from kubesonar.net.http.url import parse_url
from kubesonar.net.tcp.dialer import DialOptions
from kubesonar.net.tcp.stream import UNIX

_DIAL = DialOptions()

_FETCHED_FROM = 128
"""Addresses of a name that a `Fetcher` tries: of the agents of a small mesh, with both families, the one that
coordinates accepts. Fewer, and it is not found; more, and a name that leads nowhere takes as many tries."""


class HttpClient:
    """Sends requests, each at whichever address of the name accepts the connection: what comes then, good or bad, is
    the response. `dial` says how the addresses are tried, and bounds the look-up and all connects together. `choose`
    may reorder or refuse (by `Failed`) the addresses. Without a `pool` every request has a connection of its own.
    `close` it.

    Used by the API server's client, webhooks, `Fetcher` and the rooms of older tools."""

    def __init__(
        self,
        *,
        pool: ConnectionPool | None = None,
        resolver: Resolver | None = None,
        choose: Callable[[list[str]], list[str]] = list,
        dial: DialOptions = _DIAL,
    ) -> None:
        self._pool = pool
        self._resolver = resolver or Resolver()
        self._choose = choose
        self._dial = dial

    async def request(
        self,
        origin: Origin,
        request: HttpRequest,
        deadline: Deadline,
        limits: ResponseLimits,
        addresses: Sequence[str] = (),
    ) -> Response:
        """Send the request and return the response with its body up to `limits.body`. The host is asked at `addresses`,
        without any at those that its name has. Raises `Failed` where the name cannot be looked up; any other failure is
        in the response."""
        connection, response = await self._exchange(
            origin, deadline, lambda it: it.request(request, deadline, limits), addresses
        )
        self.release(origin, connection)
        return response

    async def open(self, origin: Origin, request: HttpRequest, deadline: Deadline) -> tuple[HttpConnection, Response]:
        """Send the request and return the response without its body, and the connection, from which to read the body
        and which to `release` afterwards. Raises as `request`."""
        return await self._exchange(origin, deadline, lambda it: it.request(request, deadline, streaming=True))

    def release(self, origin: Origin, connection: HttpConnection) -> None:
        """Take back a connection: into the pool where it can be used again."""
        if self._pool is not None:
            self._pool.give(origin, connection)
        else:
            connection.close()

    def close(self) -> None:
        """Close idle connections and cancel look-ups that still run."""
        self._resolver.close()
        if self._pool is not None:
            self._pool.close()

    async def _exchange(
        self,
        origin: Origin,
        deadline: Deadline,
        send: Callable[[HttpConnection], Awaitable[Response]],
        known: Sequence[str] = (),
    ) -> tuple[HttpConnection, Response]:
        kept = self._pool.take(origin) if self._pool is not None else None
        if kept is not None:
            return kept, await send(kept)
        began = deadline.elapsed
        with deadline.sooner(self._dial.within) as dial:
            addresses = known or await self._addresses(origin.host, dial)
            looked_up = () if known or addresses == [origin.host] else (Span(Phase.DNS, began, deadline.elapsed),)
            within = msgspec.structs.replace(self._dial, within=dial.left)
            connection = HttpConnection(origin, addresses, keep=self._pool is not None, dial=within)
            response = await send(connection)
        return connection, msgspec.structs.replace(response, phases=looked_up + response.phases)

    async def _addresses(self, host: str, dial: Deadline) -> list[str]:
        found = [host] if host.startswith(UNIX) else await self._resolver.resolve(host, dial)
        return self._choose(found)


class Fetched(msgspec.Struct, frozen=True):
    """A document with its HTTP status, or the `failure` in a few words (empty where there is an answer)."""

    status: int = 0
    body: bytes = b""
    failure: str = ""


class Fetcher:
    """Gets documents, each on a connection of its own, within `timeout` seconds and of at most `limit` bytes. Shows the
    bearer `token`, if any; `ca_file` holds the CA certificates to trust (empty: the system's). A context manager.

    The only client of an agent's API: `check`, `map` and the lab read agents by it."""

    def __init__(self, *, token: str = "", ca_file: str = "", timeout: float, limit: int) -> None:
        self._headers = (("authorization", f"Bearer {token}"), CLOSE) if token else (CLOSE,)
        self._ca_file = ca_file
        self._timeout = timeout
        self._limit = limit
        self._contexts = CaContexts()
        self._client = HttpClient(dial=DialOptions(racing=True, most=_FETCHED_FROM))  # a person waits

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._client.close()

    async def get(self, base: str, path: str, addresses: Sequence[str] = ()) -> Fetched:
        """Return the document at `path` of `base`: "http://HOST:PORT", "https://HOST:PORT" or "unix:PATH". The host is
        asked at `addresses`, without any at those that its name has."""
        local = base.startswith(UNIX)
        url = parse_url(f"http://localhost{path}" if local else base + path)
        request = HttpRequest.make("GET", url, self._headers)
        with Deadline(self._timeout) as deadline:
            try:
                context = self._contexts.context(self._ca_file) if url.secure else None
                origin = Origin(base, 0) if local else Origin.of(url, context)
                response = await self._client.request(
                    origin, request, deadline, ResponseLimits(body=self._limit), addresses
                )
            except Failed as failed:
                return Fetched(failure=failed.detail)
        if response.fault is not None:
            return Fetched(failure=response.detail or response.fault.value)
        if not response.complete:
            return Fetched(failure=f"its answer is larger than {self._limit >> 20} MiB")
        return Fetched(response.status, response.body)
