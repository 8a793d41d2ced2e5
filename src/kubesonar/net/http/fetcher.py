"""Whole documents by HTTP, as an agent or an older tool's room serves them. Nothing is measured here."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Self

import msgspec

from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.http.ca_contexts import CaContexts
from kubesonar.net.http.client import HttpClient
from kubesonar.net.http.exchange import CLOSE, HttpRequest
from kubesonar.net.http.origin import Origin
from kubesonar.net.http.response_reader import ResponseLimits
from kubesonar.net.http.url import parse_url
from kubesonar.net.tcp.dialer import DialOptions
from kubesonar.net.tcp.stream import UNIX


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
        self._client = HttpClient(dial=DialOptions(racing=True))  # a person waits

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
