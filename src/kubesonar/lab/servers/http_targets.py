"""The lab's plain HTTP targets: an endpoint that looks like an API server, and a proxy that looks like an ingress."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from kubesonar.lab.servers.api_objects import LabCluster
from kubesonar.lab.servers.certificates import Certificates
from kubesonar.lab.servers.serving import joined, serve
from kubesonar.web import ListenOptions
from kubesonar.web.asgi import Receive, Scope, Send

API_PORT = 6443

_WATCH = 600.0  # seconds for an answer: longer than a watch
_UPSTREAM_LIMIT = 1 << 20
_HEAD_END = b"\r\n\r\n"
_TOO_LATE = 504, b"504 gateway timeout"
_VERSION = b'{"major":"1","minor":"0","gitVersion":"v1.0.0-lab","platform":"linux/lab"}'
_PAGES = {
    "/version": (b"application/json", _VERSION),
    "/healthz": (b"text/plain", b"ok"),
    "/livez": (b"text/plain", b"ok"),
    "/readyz": (b"text/plain", b"ok"),
}

Upstream = tuple[str, int]
"""IP address and port."""


async def api_server(
    addresses: Sequence[str], port: int, certificates: Certificates, roster: Path, stop: asyncio.Event
) -> None:
    """Serves what anybody may read of an API server, and the pods and nodes of the members file `roster`, by HTTPS,
    until `stop` is set. Raises ConfigError where it cannot listen."""
    files = {"certificate_file": str(certificates.chain), "key_file": str(certificates.key)}
    cluster = LabCluster(roster)
    following = asyncio.create_task(cluster.follow())
    try:
        listeners = [ListenOptions(address=joined(one, port), **files) for one in addresses]
        await serve(listeners, _Api(cluster), stop, _WATCH)
    finally:
        following.cancel()


async def ingress(
    addresses: Sequence[str], port: int, upstreams: Sequence[Upstream], stop: asyncio.Event, *, timeout: float = 1.0
) -> None:
    """Forwards GET to its upstreams in turn, until `stop` is set. One that cannot be reached is passed over; where one
    was too late for `timeout` (seconds, in all) the client gets 504, where none can be reached 502. Raises ConfigError
    where it cannot listen."""
    await serve([ListenOptions(address=joined(one, port)) for one in addresses], _Proxy(upstreams, timeout), stop)


class _Api:
    def __init__(self, cluster: LabCluster) -> None:
        self._cluster = cluster

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        page = _PAGES.get(scope["path"])
        if page is None and not self._cluster.has(scope["path"]):
            await _respond(send, 404, b"text/plain", b"404 page not found")
        elif scope["method"] not in ("GET", "HEAD"):
            await _respond(send, 405, b"text/plain", b"405 method not allowed")
        elif page is None:
            await self._cluster(scope, receive, send)
        else:
            await _respond(send, 200, *page)


async def _respond(send: Send, status: int, kind: bytes, body: bytes) -> None:
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class _Proxy:
    def __init__(self, upstreams: Sequence[Upstream], timeout: float) -> None:
        self._upstreams = tuple(upstreams)
        self._timeout = timeout
        self._turn = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "GET":
            await _respond(send, 405, b"text/plain", b"405 method not allowed")
            return
        try:
            async with asyncio.timeout(self._timeout):
                status, body = await self._forward(_request(scope))
        except TimeoutError:
            status, body = _TOO_LATE
        await _respond(send, status, b"text/plain", body)

    async def _forward(self, request: bytes) -> tuple[int, bytes]:
        """Status and body from the first upstream that answers."""
        failure = 502, b"502 bad gateway"
        share = self._timeout / 3  # an upstream that swallows packets leaves time for others
        for upstream in self._in_turn():
            try:
                async with asyncio.timeout(share):
                    return _parsed(await _fetch(upstream, request))
            except TimeoutError:
                failure = _TOO_LATE
            except (OSError, ValueError):
                continue
        return failure

    def _in_turn(self) -> tuple[Upstream, ...]:
        self._turn = (self._turn + 1) % max(len(self._upstreams), 1)
        return self._upstreams[self._turn :] + self._upstreams[: self._turn]


def _request(scope: Scope) -> bytes:
    """HTTP/1.0, so that the answer ends with the connection and is not in chunks (RFC 9112, section 6.1). The target
    goes on as it was received: decoded, it could hold a line break."""
    path: bytes = scope["raw_path"]
    query: bytes = scope["query_string"]
    target = path + b"?" + query if query else path
    return b"GET " + target + b" HTTP/1.0\r\nHost: upstream\r\nX-Forwarded-For: " + _client(scope) + b"\r\n\r\n"


def _client(scope: Scope) -> bytes:
    """Whom an upstream is asked for, as every ingress says it."""
    return str(scope["client"][0]).encode() if scope["client"] else b"unknown"


async def _fetch(upstream: Upstream, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(*upstream)
    try:
        writer.write(request)
        got = bytearray()
        while len(got) <= _UPSTREAM_LIMIT and (data := await reader.read(1 << 16)):
            got += data
        return bytes(got)
    finally:
        writer.close()


def _parsed(answer: bytes) -> tuple[int, bytes]:
    """Status and body. Raises ValueError for what is no answer, or is too long."""
    head, end, body = answer.partition(_HEAD_END)
    words = head.split(b" ", 2)
    if not end or len(answer) > _UPSTREAM_LIMIT or not head.startswith(b"HTTP/1.") or len(words) < 2:
        raise ValueError("not an HTTP answer")
    if not words[1][:3].isdigit() or not 200 <= int(words[1][:3]) <= 599:
        raise ValueError("not an HTTP status")
    return int(words[1][:3]), body
