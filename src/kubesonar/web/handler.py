"""Requests, replies, and the handlers that turn one into the other.

A handler is a coroutine function that takes a `Request` and returns a `Reply`. It knows neither sockets nor servers, so
a program that runs once a cluster can mount the same handler in Starlette on uvicorn. The fields of a `Request` have
the names of the ASGI scope (https://asgi.readthedocs.io/en/latest/specs/www.html):

    async def endpoint(asked: starlette.requests.Request) -> starlette.responses.Response:
        same = ("method", "scheme", "path", "raw_path", "query_string", "headers", "client")
        reply = await handler(Request(body=await asked.body(), **{name: asked.scope[name] for name in same}))
        kind = Response if isinstance(reply.body, bytes) else StreamingResponse
        response = kind(reply.body, reply.status)
        response.raw_headers.extend(reply.fields)
        return response
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping

import msgspec

from kubesonar.core.encoding import encode_json

_QUERY_LIMIT = 32
"""Most fields of a query that are read; what follows them is taken as part of the last one."""

_COOKIE_LIMIT = 64
"""Most cookies of a request that are looked at; browsers send those of all ports of a host."""

_ESCAPE = re.compile(rb"%([0-9a-fA-F]{2})")


class BadRequest(Exception):
    """The request cannot be answered as asked; the text is one sentence for the client."""


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """One request, which has arrived in full. `path` is percent-decoded, `raw_path` and `query_string` are as sent;
    names in `headers` are in lower case; `client` is the IP address and port of the other end, None for a Unix socket;
    `scheme` is "https" where the connection is encrypted. `parameters` are the parts of the path that stand for the
    names in a route's pattern.
    """

    method: str = "GET"
    scheme: str = "http"
    path: str = "/"
    raw_path: bytes = b"/"
    query_string: bytes = b""
    headers: list[tuple[bytes, bytes]] = []
    client: tuple[str, int] | None = None
    body: bytes = b""
    parameters: Mapping[str, str] = {}

    @property
    def target(self) -> bytes:
        """The path and query as they were sent."""
        return self.raw_path + b"?" + self.query_string if self.query_string else self.raw_path

    def header(self, name: bytes) -> str:
        """Return the values of the header `name` (lower case), joined by commas; empty where there is none."""
        return ", ".join(value.decode("latin-1") for known, value in self.headers if known == name)

    def first(self, name: bytes) -> bytes:
        """Return the first value of the header `name` (lower case); empty where there is none."""
        return next((value for known, value in self.headers if known == name), b"")

    def cookie(self, name: bytes) -> bytes:
        """Return the value of the first cookie of that name (RFC 6265, section 4.2); empty where there is none."""
        pairs = (pair.strip().partition(b"=") for pair in self.first(b"cookie").split(b";", _COOKIE_LIMIT))
        return next((value for known, _, value in pairs if known == name), b"")

    @property
    def by_browser(self) -> bool:
        """Whether the client says that it takes HTML, as browsers do."""
        return "text/html" in self.header(b"accept")

    def query(self, known: Mapping[str, str]) -> dict[str, str]:
        """Return the fields of the query. `known` maps each permitted name to what its value is expected to be. Raises
        BadRequest for an unknown field and for one that is given twice."""
        return form_fields(self.query_string, known)


class Reply(msgspec.Struct, frozen=True):
    """The reply that a handler returns. `kind` is the content type, empty for none. The server adds Content-Length to a
    body of bytes; a generator's pieces are sent as they come, and it is closed when the client leaves."""

    body: bytes | AsyncGenerator[bytes, None] = b""
    kind: str = "application/json"
    status: int = 200
    headers: tuple[tuple[bytes, bytes], ...] = ()

    @property
    def fields(self) -> list[tuple[bytes, bytes]]:
        """The headers, the content type first."""
        return [*([(b"content-type", self.kind.encode())] if self.kind else []), *self.headers]


Handler = Callable[[Request], Awaitable[Reply]]


def error_reply(status: int, text: str, *headers: tuple[bytes, bytes]) -> Reply:
    """Return an error as every path of an agent reports it: JSON with the one key "error"."""
    return Reply(encode_json({"error": text}), status=status, headers=headers)


def form_fields(data: bytes, known: Mapping[str, str]) -> dict[str, str]:
    """Return the fields of a query, or of a form's body, as `Request.query` does. Raises BadRequest as it does."""
    found: dict[str, str] = {}
    for pair in data.replace(b"+", b" ").split(b"&", _QUERY_LIMIT):
        name, _, value = (percent_decoded(part) for part in pair.partition(b"="))
        if not name and not value:
            continue
        if name not in known:
            raise BadRequest(f'unknown query field "{name[:40]}", expected {", ".join(known) or "none"}')
        if name in found:
            raise BadRequest(f"query field {name} is given twice, expected {known[name]}")
        found[name] = value
    return found


def percent_decoded(text: bytes) -> str:
    """Return `text` without percent-encoding (RFC 3986, section 2.1); bytes that are not UTF-8 become U+FFFD."""
    return _ESCAPE.sub(lambda match: bytes.fromhex(match[1].decode()), text).decode("utf-8", "replace")
