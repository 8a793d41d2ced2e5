"""Whole documents by HTTP: for reading what agents tell. Nothing is measured here."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import msgspec

from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.dns.system_resolver import Resolver
from kubesonar.net.http.ca_contexts import Trust
from kubesonar.net.http.connection import HttpConnection
from kubesonar.net.http.exchange import HttpRequest, Response
from kubesonar.net.http.response_reader import ResponseLimits
from kubesonar.net.http.url import Url, parse_url

_UNIX = "unix:"


class Fetched(msgspec.Struct, frozen=True):
    """`failure` says in a few words why there is no answer; empty where there is one."""

    status: int = 0
    body: bytes = b""
    failure: str = ""


class Fetcher:
    """Gets documents, each on a connection of its own, within `timeout` seconds and of at most `limit` bytes. Shows the
    bearer `token`, if any; `ca_file` holds the CA certificates to trust, empty: the system's. A context manager."""

    def __init__(self, *, token: str, ca_file: str, timeout: float, limit: int) -> None:
        self._headers = (("authorization", f"Bearer {token}"),) if token else ()
        self._ca_file = ca_file
        self._timeout = timeout
        self._limit = limit
        self._trust = Trust()
        self._resolver = Resolver()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._resolver.close()

    async def get(self, base: str, path: str) -> Fetched:
        """The document at `path` of `base`: "http://HOST:PORT", "https://HOST:PORT" or "unix:PATH"."""
        url = parse_url((f"http://localhost{path}") if base.startswith(_UNIX) else base + path)
        with Deadline(self._timeout) as deadline:
            try:
                connection = await self._connection(base, url, deadline)
                request = HttpRequest.make("GET", url, (*self._headers, ("connection", "close")))
                response = await connection.request(request, deadline, ResponseLimits(body=self._limit))
            except Failed as failed:
                return Fetched(failure=failed.detail)
        return self._fetched(response)

    async def _connection(self, base: str, url: Url, deadline: Deadline) -> HttpConnection:
        if base.startswith(_UNIX):
            return HttpConnection(base, 0)
        addresses = await self._resolver.resolve(url.host, 0, deadline)
        context = self._trust.context(self._ca_file) if url.secure else None
        return HttpConnection(addresses[0], url.port, context=context, server_name=url.host)

    def _fetched(self, response: Response) -> Fetched:
        if response.fault is not None:
            return Fetched(failure=response.detail or response.fault.value)
        if not response.complete:
            return Fetched(failure=f"its answer is larger than {self._limit >> 20} MiB")
        return Fetched(response.status, response.body)
