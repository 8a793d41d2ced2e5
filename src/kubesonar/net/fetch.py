"""A document by HTTP, whole: for reading what agents tell. Nothing is measured here."""

from __future__ import annotations

import asyncio
import socket
import ssl

import httptools
import msgspec

from kubesonar.net.faults import fault_of

_HEAD_LIMIT = 64 << 10


class Fetched(msgspec.Struct, frozen=True):
    """`failure` says in a few words why there is no answer; empty where there is one."""

    status: int = 0
    body: bytes = b""
    failure: str = ""


async def fetch(base: str, path: str, token: str, trust: str, timeout: float, limit: int) -> Fetched:
    """GETs `path` at `base` ("http://HOST:PORT", "https://HOST:PORT" or "unix:PATH") with the bearer `token`, if any,
    within `timeout` seconds and at most `limit` bytes. `trust` is a file of CA certificates, empty: the system's."""
    try:
        async with asyncio.timeout(timeout):
            return await _exchange(base, path, token, trust, limit)
    except TimeoutError as error:
        return Fetched(failure=fault_of(error)[1] if error.errno else f"no answer within {timeout:g} s")
    except ssl.SSLCertVerificationError as error:
        return Fetched(failure=f"its certificate is not trusted: {error.verify_message}")
    except socket.gaierror as error:
        return Fetched(failure=f"its name does not resolve: {error.strerror}")
    except OSError as error:
        return Fetched(failure=fault_of(error)[1])


class _Answer(asyncio.Protocol):
    """Takes an answer in until it is whole."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._parser = httptools.HttpResponseParser(self)
        self._body = bytearray()
        self._taken = 0
        self._transport: asyncio.Transport | None = None
        self.done: asyncio.Future[Fetched] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio.Protocol."""
        self._transport = transport if isinstance(transport, asyncio.Transport) else None

    def data_received(self, data: bytes) -> None:
        """See asyncio.Protocol."""
        self._taken += len(data)
        if self._taken > self._limit + _HEAD_LIMIT or len(self._body) > self._limit:
            self._end(Fetched(failure=f"its answer is larger than {self._limit >> 20} MiB"))
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._end(Fetched(failure="its answer is no HTTP"))

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio.Protocol."""
        reason = fault_of(exc)[1] if isinstance(exc, OSError) else "its answer ended too early"
        self._end(Fetched(failure=reason))

    def on_body(self, piece: bytes) -> None:
        """Called by the parser."""
        self._body += piece

    def on_message_complete(self) -> None:
        """Called by the parser."""
        self._end(Fetched(self._parser.get_status_code(), bytes(self._body)))

    def _end(self, fetched: Fetched) -> None:
        if not self.done.done():
            self.done.set_result(fetched)
        if self._transport is not None:
            self._transport.abort()


async def _exchange(base: str, path: str, token: str, trust: str, limit: int) -> Fetched:
    loop = asyncio.get_running_loop()
    scheme, _, place = base.partition(":")
    if scheme == "unix":
        transport, answer = await loop.create_unix_connection(lambda: _Answer(limit), place)
        place = "localhost"
    else:
        place = place.removeprefix("//")
        host, _, port = place.rpartition(":")
        tls = ssl.create_default_context(cafile=trust or None) if scheme == "https" else None
        transport, answer = await loop.create_connection(lambda: _Answer(limit), host.strip("[]"), int(port), ssl=tls)
    try:
        authorization = f"authorization: Bearer {token}\r\n" if token else ""
        head = f"GET {path} HTTP/1.1\r\nhost: {place}\r\n{authorization}connection: close\r\n\r\n"
        transport.write(head.encode("ascii"))
        return await answer.done
    finally:
        transport.abort()
