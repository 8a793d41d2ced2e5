"""Bytes of one client, parsed into requests and held to the limits of its listener."""

from __future__ import annotations

import httptools
import msgspec

from kubesonar.web.handler import Request, percent_decoded
from kubesonar.web.options import LimitOptions

HEADERS_LIMIT = 100
"""Most headers of one request; one with more is refused with 431."""


class RequestRefused(msgspec.Struct, frozen=True):
    """The refusal of a request that gets no reply of a handler: the status and the sentence of the error that is sent
    instead."""

    status: int
    error: str


class ParsedRequest(msgspec.Struct):
    """A request as the parser reports it, piece by piece."""

    url: bytes = b""
    headers: list[tuple[bytes, bytes]] = msgspec.field(default_factory=list)
    body: bytearray = msgspec.field(default_factory=bytearray)
    method: str = ""
    http11: bool = True
    keep_alive: bool = False
    head_complete: bool = False

    def request(self, client: tuple[str, int] | None, scheme: str = "http") -> Request | None:
        """Return the request for the handler; None where the target is no path."""
        try:
            parsed = httptools.parse_url(self.url)
        except httptools.HttpParserInvalidURLError:
            return None
        path = parsed.path or b"/"
        return Request(
            method=self.method,
            scheme=scheme,
            path=percent_decoded(path),
            raw_path=path,
            query_string=parsed.query or b"",
            headers=self.headers,
            client=client,
            body=bytes(self.body),
        )


class RequestReader:
    """Parser of one connection. After `feed`, `refusal` is set where a limit was passed or the bytes are not HTTP/1.1;
    nothing more may be fed then. `ended`: the client has sent its last request (it asked for an upgrade).
    `expects_continue`: the client waits for "100 Continue" before it sends the body (RFC 9110, section 10.1.1)."""

    def __init__(self, limits: LimitOptions) -> None:
        self.refusal: RequestRefused | None = None
        self.ended = False
        self.expects_continue = False
        self._limits = limits
        self._parser = httptools.HttpRequestParser(self)
        self._current: ParsedRequest | None = None
        self._complete: list[ParsedRequest] = []
        self._head_size = 0
        self._taken = 0
        self._begun = self._finished = False

    @property
    def reading(self) -> bool:
        """Whether a request has begun and is not complete."""
        return self._current is not None

    @property
    def held(self) -> int:
        """Bytes of the body that has not arrived in full."""
        return len(self._current.body) if self._current is not None else 0

    def drop(self) -> None:
        """Forget the request that has not arrived in full; nothing may be fed any more."""
        self._current = None

    def feed(self, data: bytes) -> list[ParsedRequest]:
        """Parse `data` and return the requests that it completes."""
        self._begun = self._finished = self.expects_continue = False
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.ended = True
        except httptools.HttpParserError:
            self._refuse(400, "the request is not HTTP/1.1")
        self._limit(len(data))
        complete, self._complete = self._complete, []
        return complete

    def on_message_begin(self) -> None:
        """Called by httptools where a request begins, as the methods below for its parts."""
        self._begun = True
        self._head_size = 0
        self._current = ParsedRequest()

    def on_url(self, url: bytes) -> None:
        """Take a piece of the target."""
        if self._current is not None:
            self._current.url += url
            self._count_head(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header. A trailer counts towards the limit and is dropped."""
        self._count_head(len(name) + len(value))
        if self._current is None or self._current.head_complete:
            return
        if len(self._current.headers) >= HEADERS_LIMIT:
            self._refuse(431, f"a request may have at most {HEADERS_LIMIT} headers")
        else:
            self._current.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Read method and version."""
        current = self._current
        if current is None:
            return
        current.head_complete = True
        current.method = self._parser.get_method().decode("ascii", "replace")
        current.http11 = self._parser.get_http_version() == "1.1"
        current.keep_alive = self._parser.should_keep_alive()
        self.expects_continue = any(n == b"expect" and v.lower() == b"100-continue" for n, v in current.headers)
        hosts = sum(name == b"host" for name, _ in current.headers)
        if hosts > 1 or (not hosts and current.http11):
            self._refuse(400, "a request must have one Host header (RFC 9112, section 3.2)")

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self.expects_continue = False
        if self._current is not None:
            if len(self._current.body) + len(body) > self._limits.body:
                self._refuse_body()
            else:
                self._current.body += body

    def on_message_complete(self) -> None:
        """End the request."""
        self._finished = True
        if self._current is not None and self.refusal is None:
            self._complete.append(self._current)
        self._current = None

    def _limit(self, size: int) -> None:
        """Hold a request that is not complete to the limits; the framing of chunks may take as much again as the body.
        The parser does not say where in `data` a request begins, so the bytes that came with the end of another request
        are not counted."""
        if self._begun:
            self._taken = 0 if self._finished else size
        else:
            self._taken += size
        if self._current is None:
            return
        if not self._current.head_complete and self._taken > self._limits.head:
            self._refuse_head()
        elif self._taken > 2 * self._limits.head + 2 * self._limits.body:
            self._refuse_body()

    def _count_head(self, size: int) -> None:
        self._head_size += size
        if self._head_size > self._limits.head:
            self._refuse_head()

    def _refuse_head(self) -> None:
        self._refuse(431, f"a request's headers may have at most {self._limits.head} bytes")

    def _refuse_body(self) -> None:
        self._refuse(413, f"a request's body may have at most {self._limits.body} bytes")

    def _refuse(self, status: int, error: str) -> None:
        """Set the refusal, unless there is one."""
        self.refusal = self.refusal or RequestRefused(status, error)
