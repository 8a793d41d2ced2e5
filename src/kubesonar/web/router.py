"""Exact paths to handlers, and their replies to ASGI."""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from kubesonar.web.asgi import Receive, Scope, Send
from kubesonar.web.auth import Authenticator
from kubesonar.web.request import unescape

GZIP_FROM = 1024
"""Smallest body that is worth compressing, in bytes."""

_QUERY_LIMIT = 32


class BadRequest(Exception):
    """The client asked wrongly; the text is one sentence for it."""


class Reply(msgspec.Struct, frozen=True):
    """What a handler gives back."""

    body: bytes
    kind: str = "application/json"
    status: int = 200
    headers: tuple[tuple[bytes, bytes], ...] = ()


class Request:
    """What a handler is given."""

    def __init__(self, scope: Scope) -> None:
        self.path: str = scope["path"]
        self._headers: list[tuple[bytes, bytes]] = scope["headers"]
        self._query: bytes = scope["query_string"]

    def header(self, name: bytes) -> str:
        """A header's value (several joined by commas), empty where it is not there. `name` is in lower case."""
        return ", ".join(value.decode("latin-1") for known, value in self._headers if known == name)

    def query(self, known: Mapping[str, str]) -> dict[str, str]:
        """The query's fields; `known` names those that exist, with what each expects. Raises BadRequest."""
        found: dict[str, str] = {}
        for pair in self._query.replace(b"+", b" ").split(b"&", _QUERY_LIMIT):
            name, _, value = (unescape(part) for part in pair.partition(b"="))
            if not name and not value:
                continue
            if name not in known:
                raise BadRequest(f'unknown query field "{name[:40]}", expected {", ".join(known) or "none"}')
            if name in found:
                raise BadRequest(f"query field {name} is given twice, expected {known[name]}")
            found[name] = value
        return found


Handler = Callable[[Request], Awaitable[Reply]]


class Route(msgspec.Struct, frozen=True):
    """What answers GET and HEAD on a path; an open one needs no identity."""

    handler: Handler
    summary: str
    open: bool = False


class Router:
    """An ASGI application of GET routes by exact path."""

    def __init__(self, routes: Mapping[str, Route], authenticator: Authenticator) -> None:
        self._routes = routes
        self._authenticator = authenticator

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """As ASGI defines it."""
        await respond(scope, send, await self._reply(scope))

    async def _reply(self, scope: Scope) -> Reply:
        route = self._routes.get(scope["path"])
        if route is None:
            return error(404, "there is nothing here; / lists what there is")
        if scope["method"] not in ("GET", "HEAD"):
            return error(405, "only GET and HEAD are understood here", (b"allow", b"GET, HEAD"))
        if not route.open and await self._authenticator.authenticate(scope) is None:
            return error(401, "a bearer token is needed", (b"www-authenticate", b'Bearer realm="kubesonar"'))
        try:
            return await route.handler(Request(scope))
        except BadRequest as refusal:
            return error(400, str(refusal))


def error(status: int, text: str, *headers: tuple[bytes, bytes]) -> Reply:
    """The JSON that every error has."""
    return Reply(msgspec.json.encode({"error": text}), status=status, headers=headers)


async def respond(scope: Scope, send: Send, reply: Reply) -> None:
    """Sends a reply, compressed where that pays and the client takes it."""
    headers = [(b"content-type", reply.kind.encode()), *reply.headers]
    body = reply.body
    if len(body) > GZIP_FROM:
        headers.append((b"vary", b"accept-encoding"))
        if accepts_gzip(scope["headers"]):
            body = gzipped(body)
            headers.append((b"content-encoding", b"gzip"))
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def gzipped(body: bytes) -> bytes:
    """By level 1: a third of level 6's time for a third more bytes. 31 asks zlib for gzip's wrapping (zlib.h)."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    return packer.compress(body) + packer.flush()


def accepts_gzip(headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether Accept-Encoding (RFC 9110, section 12.5.3) names gzip and does not refuse it."""
    said = b",".join(value for name, value in headers if name == b"accept-encoding").lower()
    for item in said.split(b","):
        coding, _, weight = item.partition(b";")
        if coding.strip() == b"gzip":
            return weight.strip().replace(b" ", b"").rstrip(b"0").rstrip(b".") not in (b"q=", b"q=0")
    return False
