"""The two endpoints that other pods ask, in plain HTTP."""

from __future__ import annotations

import logging
from collections.abc import Callable

from kubesonar.runtime.logs import Changes
from kubesonar.web.asgi import Receive, Scope, Send
from kubesonar.web.request import unescape

_LOG = logging.getLogger("kubesonar.knh")
_TEXT = b"text/plain; charset=utf-8"
_PAIRS = 32
_ID_LIMIT = 512
_DEAD_LIMIT = 1000


class KnhEndpoints:
    """The ASGI application. `heard(id, ip, dead)` is told of every claim to be the coordinator with the address that
    it came from and the peers that it says it has told dead; it returns whether it believed it. Any method is taken."""

    def __init__(self, heard: Callable[[str, str, list[str]], bool]) -> None:
        self._heard = heard
        self._changes = Changes(_LOG)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI defines it."""
        path = scope["path"]
        if path == "/ping":
            await _answer(send, 200, b"pong", [(b"content-type", _TEXT)])
        elif path == "/coordinator":
            self._claim(scope)
            await _answer(send, 200, b"", [])
        else:
            kind = [(b"content-type", _TEXT), (b"x-content-type-options", b"nosniff")]
            await _answer(send, 404, b"404 page not found\n", kind)

    def _claim(self, scope: Scope) -> None:
        fields = _query(scope["query_string"])
        id, client = fields.get("id", ""), scope["client"]
        ip = client[0] if client else ""
        dead = [name for name in fields.get("dead", "").split(",")[:_DEAD_LIMIT] if name]
        if id:
            believed = self._heard(id[:_ID_LIMIT], ip, dead)
            complaint = (
                "" if believed else f"claims to be the coordinator {id[:_ID_LIMIT]}, which is not at its address"
            )
            self._changes.note(f"caller {ip}", complaint)


def _query(text: bytes) -> dict[str, str]:
    """The first value of each field, as Go's URL.Query().Get reads them."""
    fields: dict[str, str] = {}
    for pair in text.replace(b"+", b" ").split(b"&", _PAIRS)[:_PAIRS]:
        name, _, value = pair.partition(b"=")
        fields.setdefault(unescape(name), unescape(value))
    return fields


async def _answer(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    headers = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
