"""A reverse proxy that resembles an ingress."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial

from kubesonar.lab.servers.hedging import hedged
from kubesonar.lab.servers.listening import joined, serve
from kubesonar.web import ListenOptions, Reply, Request

_UPSTREAM_LIMIT = 1 << 20
"""Bytes of an upstream's answer; a longer one is a 502."""
_HEAD_END = b"\r\n\r\n"
_PATIENCE = 0.33
"""Seconds without an answer after which another upstream is asked as well. Less, and busy upstreams are asked twice;
more, and behind a few that swallow packets no other answers within what the lab's agents wait."""

_TIMEOUT = 10.0
"""Seconds for one request: longer than any agent waits, so that on a busy machine it is not this server that fails.
Shorter, and slow agents are told as an ingress that answers wrongly."""

_Answer = tuple[int, bytes]
"""Status and body."""

Upstream = tuple[str, int]
"""IP address and port."""


async def ingress(
    addresses: Sequence[str],
    port: int,
    upstreams: Sequence[Upstream],
    stop: asyncio.Event,
    *,
    timeout: float = _TIMEOUT,
) -> None:
    """Forward GET to its upstreams in turn, until `stop` is set. An upstream that cannot be reached is skipped; where
    one is slow another is asked too, and the first answer counts. The client gets 504 where none answered within
    `timeout` (seconds), 502 where none can be reached. Raises ConfigError where it cannot listen."""
    await serve([ListenOptions(address=joined(one, port)) for one in addresses], _Proxy(upstreams, timeout), stop)


class _Proxy:
    def __init__(self, upstreams: Sequence[Upstream], timeout: float) -> None:
        self._upstreams = tuple(upstreams)
        self._timeout = timeout
        self._turn = 0

    async def __call__(self, request: Request) -> Reply:
        if request.method != "GET":
            return Reply(b"405 method not allowed", "text/plain", 405)
        try:
            async with asyncio.timeout(self._timeout):
                status, body = await self._forward(_request_head(request))
        except TimeoutError:
            status, body = 504, b"504 gateway timeout"
        return Reply(body, "text/plain", status)

    async def _forward(self, head: bytes) -> _Answer:
        asks = [partial(_answer_of, upstream, head) for upstream in self._in_turn()]
        return await hedged(asks, _PATIENCE) or (502, b"502 bad gateway")

    def _in_turn(self) -> tuple[Upstream, ...]:
        self._turn = (self._turn + 1) % max(len(self._upstreams), 1)
        return self._upstreams[self._turn :] + self._upstreams[: self._turn]


def _request_head(request: Request) -> bytes:
    """Return the head of a request. It is HTTP/1.0, so that the answer ends with the connection and is not in chunks
    (RFC 9112, section 6.1). The target is forwarded as it was received: decoded, it could hold a line break. The client
    is named as every ingress names it."""
    client = request.client[0].encode() if request.client else b"unknown"
    return b"GET " + request.target + b" HTTP/1.0\r\nHost: upstream\r\nX-Forwarded-For: " + client + b"\r\n\r\n"


async def _answer_of(upstream: Upstream, head: bytes) -> _Answer | None:
    """Return what an upstream answers, None where it cannot be reached or answers no HTTP."""
    try:
        return _parsed(await _fetch(upstream, head))
    except (OSError, ValueError):
        return None


async def _fetch(upstream: Upstream, head: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(*upstream)
    try:
        writer.write(head)
        got = bytearray()
        while len(got) <= _UPSTREAM_LIMIT and (data := await reader.read(1 << 16)):
            got += data
        return bytes(got)
    finally:
        writer.close()


def _parsed(answer: bytes) -> _Answer:
    """Raises ValueError for an answer that is not HTTP or is too long."""
    head, end, body = answer.partition(_HEAD_END)
    words = head.split(b" ", 2)
    if not end or len(answer) > _UPSTREAM_LIMIT or not head.startswith(b"HTTP/1.") or len(words) < 2:
        raise ValueError("not an HTTP answer")
    if not words[1][:3].isdigit() or not 200 <= int(words[1][:3]) <= 599:
        raise ValueError("not an HTTP status")
    return int(words[1][:3]), body
