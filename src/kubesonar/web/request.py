"""One HTTP request as it comes in, and how big it may be."""

from __future__ import annotations

import re
from typing import Any

import httptools
import msgspec

from kubesonar.web.options import LimitOptions

HEADERS_LIMIT = 100
"""Most headers of one request."""

_ESCAPE = re.compile(rb"%([0-9a-fA-F]{2})")


class RequestRefused(msgspec.Struct, frozen=True):
    """Why a request is not answered by the application."""

    status: int
    error: str


class Incoming:
    """Takes the parser's callbacks for one request. `refusal` is set once a bound is passed."""

    def __init__(self, limits: LimitOptions) -> None:
        self._limits = limits
        self._url = b""
        self._size = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = bytearray()
        self.head_done = False
        self.expects_continue = False
        self.keep_alive = False
        self.method = ""
        self.version = "1.1"
        self.refusal: RequestRefused | None = None

    def url(self, piece: bytes) -> None:
        """Another piece of the request's target."""
        self._url += piece
        self._grow(len(piece))

    def header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer, which is dropped."""
        self._grow(len(name) + len(value))
        if self.head_done:
            return
        if len(self.headers) >= HEADERS_LIMIT:
            self.refusal = RequestRefused(431, f"a request may have at most {HEADERS_LIMIT} headers")
            return
        name = name.lower()
        self.expects_continue |= name == b"expect" and value.lower() == b"100-continue"
        self.headers.append((name, value))

    def head(self, parser: Any) -> None:
        """The headers are complete."""
        self.head_done = True
        self.method = parser.get_method().decode("ascii", "replace")
        self.version = parser.get_http_version()
        self.keep_alive = parser.should_keep_alive()
        hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts > 1 or (not hosts and self.version == "1.1"):
            self.refusal = self.refusal or RequestRefused(
                400, "a request must have one Host header (RFC 9112, section 3.2)"
            )

    def data(self, piece: bytes) -> None:
        """A piece of the body."""
        if len(self.body) + len(piece) > self._limits.body:
            self.refusal = RequestRefused(413, f"a request's body may have at most {self._limits.body} bytes")
        else:
            self.body += piece

    def scope(self, scheme: str, client: Any, server: Any) -> dict[str, Any] | None:
        """The request as ASGI says it, None for a target that is not one."""
        try:
            parsed = httptools.parse_url(self._url)
        except httptools.HttpParserInvalidURLError:
            return None
        path = parsed.path or b"/"
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": self.version,
            "method": self.method,
            "scheme": scheme,
            "path": unescape(path),
            "raw_path": path,
            "query_string": parsed.query or b"",
            "root_path": "",
            "headers": self.headers,
            "client": client,
            "server": server,
        }

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > self._limits.head:
            self.refusal = too_much_head(self._limits)


def too_much_head(limits: LimitOptions) -> RequestRefused:
    """The refusal of a head beyond the bound."""
    return RequestRefused(431, f"a request's headers may have at most {limits.head} bytes")


def unescape(text: bytes) -> str:
    """Percent-decoded (RFC 3986, section 2.1); bytes that are not UTF-8 become U+FFFD."""
    return _ESCAPE.sub(lambda match: bytes.fromhex(match[1].decode()), text).decode("utf-8", "replace")
