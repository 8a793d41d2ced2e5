"""Whom the lab's coordinator tells: a receiver of webhooks that writes down each notice once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import msgspec

from kubesonar.lab.servers.serving import joined, serve
from kubesonar.web import ListenOptions
from kubesonar.web.asgi import Receive, Scope, Send

_BODY_LIMIT = 64 << 10
_NOTICES = 10_000
"""Most notices that are written down."""


class PagedNotice(msgspec.Struct, frozen=True):
    """One notice as its body says it: what became of whom, in one sentence, and who told it."""

    id: str
    what: str
    member: str
    sentence: str
    at: float
    coordinator: str = ""


class _Envelope(msgspec.Struct, frozen=True):
    data: PagedNotice


async def pager(addresses: Sequence[str], port: int, notices: Path, stop: asyncio.Event) -> None:
    """Takes notices in the native format by POST and appends each new one to the file `notices`, a line of JSON each,
    until `stop` is set. Raises ConfigError where it cannot listen."""
    await serve([ListenOptions(address=joined(one, port)) for one in addresses], _Pager(notices), stop)


def read_notices(notices: Path) -> list[PagedNotice]:
    """What was told so far, in the order of its arrival."""
    try:
        lines = notices.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    return [msgspec.json.decode(line, type=PagedNotice) for line in lines]


class _Pager:
    def __init__(self, notices: Path) -> None:
        self._notices = notices
        self._seen: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        status = self._take(await _body(receive)) if scope["method"] == "POST" else 405
        await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    def _take(self, body: bytes) -> int:
        try:
            told = msgspec.json.decode(body, type=_Envelope).data
        except (msgspec.DecodeError, RecursionError):
            return 400
        if told.id not in self._seen and len(self._seen) < _NOTICES:
            self._seen.add(told.id)
            with self._notices.open("ab") as file:
                file.write(msgspec.json.encode(told) + b"\n")
        return 204


async def _body(receive: Receive) -> bytes:
    """What was posted; nothing where that is too long."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > _BODY_LIMIT or message["type"] != "http.request":
            return b""
        if not message.get("more_body", False):
            return b"".join(parts)
