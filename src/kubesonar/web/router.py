"""Handlers by path, behind an authenticator, with replies compressed where that pays."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import msgspec

from kubesonar.web.auth import Authenticator
from kubesonar.web.handler import BadRequest, Handler, Reply, Request, error_reply

FOR_BROWSERS = "*"
"""The path of the route that answers browsers where no other does."""

GZIP_FROM = 1024
"""Smallest body that is compressed, in bytes; compressing smaller ones costs more CPU than it saves on the network."""

_READING = ("GET", "HEAD")


class Route(msgspec.Struct, frozen=True):
    """The handler of GET and HEAD on a path, or of `method` alone; an `open` one needs no authentication."""

    handler: Handler
    summary: str
    open: bool = False
    method: str = "GET"


class Router:
    """A handler that calls the one of `routes` that fits the request, by its path. A part of a path that is written
    {NAME} stands for any one part that is not empty; a path without such parts goes before. The route of
    `FOR_BROWSERS`, if there is one, answers GET and HEAD of browsers where no other does."""

    def __init__(self, routes: Mapping[str, Route], authenticator: Authenticator) -> None:
        self._routes = routes
        self._patterns = [(path.split("/"), route) for path, route in routes.items() if "{" in path]
        self._authenticator = authenticator

    async def __call__(self, request: Request) -> Reply:
        """Return the reply, or an error of status 400, 401, 404 or 405."""
        return compressed(request, await self._reply(request))

    async def _reply(self, request: Request) -> Reply:
        route = self._routes.get(request.path)
        if route is None or "{" in request.path:
            route, request = self._matching(request)
        if request.method in _READING and (route is None or route.method != "GET") and request.by_browser:
            route = self._routes.get(FOR_BROWSERS, route)
        if route is None:
            return error_reply(404, "there is nothing here; / lists what there is")
        methods = _READING if route.method == "GET" else (route.method,)
        if request.method not in methods:
            said = f"{' and '.join(methods)} {'are' if len(methods) > 1 else 'is'}"
            return error_reply(405, f"only {said} understood here", (b"allow", ", ".join(methods).encode()))
        if not route.open and not await self._authenticator.permits(request):
            return unauthorized_reply()
        try:
            return await route.handler(request)
        except BadRequest as refusal:
            return error_reply(400, str(refusal))

    def _matching(self, request: Request) -> tuple[Route | None, Request]:
        """Return the route whose pattern fits, None where there is none, and the request with its parameters."""
        parts = request.path.split("/")
        for pattern, route in self._patterns:
            if len(pattern) == len(parts) and all(
                part if wanted.startswith("{") else part == wanted for wanted, part in zip(pattern, parts, strict=True)
            ):
                found = {wanted[1:-1]: part for wanted, part in zip(pattern, parts, strict=True) if wanted[:1] == "{"}
                return route, msgspec.structs.replace(request, parameters=found)
        return None, request


def unauthorized_reply() -> Reply:
    """Return the error for a client that showed no valid token."""
    return error_reply(401, "a bearer token is needed", (b"www-authenticate", b'Bearer realm="kubesonar"'))


def accepts_gzip(accept_encoding: str) -> bool:
    """Whether the Accept-Encoding header (RFC 9110, section 12.5.3) names gzip and does not refuse it."""
    for item in accept_encoding.lower().split(","):
        coding, _, weight = item.partition(";")
        if coding.strip() == "gzip":
            return weight.strip().replace(" ", "").rstrip("0").rstrip(".") not in ("q=", "q=0")
    return False


def compressed(request: Request, reply: Reply) -> Reply:
    """Return the reply with its body compressed, where that pays and the client takes it."""
    body = reply.body
    if not isinstance(body, bytes) or len(body) <= GZIP_FROM:
        return reply
    headers = (*reply.headers, (b"vary", b"accept-encoding"))
    if accepts_gzip(request.header(b"accept-encoding")):
        body, headers = _gzipped(body), (*headers, (b"content-encoding", b"gzip"))
    return msgspec.structs.replace(reply, body=body, headers=headers)


def _gzipped(body: bytes) -> bytes:
    """Compress at level 1: a third of level 6's time for a third more bytes. 31 asks zlib for gzip's wrapping
    (zlib.h)."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    return packer.compress(body) + packer.flush()
