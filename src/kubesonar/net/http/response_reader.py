"""Reads one HTTP/1.1 response of a server that may be hostile: what it can make us keep is bounded."""

from __future__ import annotations

import httptools
import msgspec

from kubesonar.model import Fault
from kubesonar.net.deadline import Failed

Header = tuple[bytes, bytes]

_FRAMING = 5
"""Bytes around a chunk of one byte (RFC 9112, section 7.1): no honest body has more framing for its size."""


class ResponseLimits(msgspec.Struct, frozen=True):
    """Bounds of a response. More than `header_bytes` of headers (status line, interim responses and trailers included)
    or more than `headers` of them is a wrong answer. More than `body` bytes of body is none: reading ends there, with
    -1 before the body."""

    header_bytes: int = 32_768
    headers: int = 100
    body: int = 65_536


HEAD_ONLY = ResponseLimits(body=-1)
"""Limits of a response whose body nobody wants."""


class ResponseReader:
    """A response as it comes in; interim ones (1xx) are passed over. `body` collects at most `limits.body` bytes, with
    `streaming` all of it, so `take` it after each `feed` then."""

    def __init__(self, limits: ResponseLimits, streaming: bool = False) -> None:
        self.head = False
        self.complete = False
        self.headers: list[Header] = []
        self.body: list[bytes] = []
        self.fed = 0
        self.size = 0
        self._limits = limits
        self._streaming = streaming
        self._framed = False
        self._keep_alive = False
        self._parser = httptools.HttpResponseParser(self)

    @property
    def status(self) -> int:
        """The status code, 0 before the headers are there."""
        return int(self._parser.get_status_code()) if self.head else 0

    @property
    def enough(self) -> bool:
        """Whether the response is complete, or more of its body than wanted was read."""
        return self.complete or self.size > self._limits.body

    @property
    def reusable(self) -> bool:
        """Whether the connection can carry another request."""
        return self.complete and self._keep_alive

    def feed(self, data: bytes) -> None:
        """Parse data as read from the stream; empty means its end. Raises `Failed`."""
        if not data:
            return self._end()
        self.fed += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            raise Failed(Fault.WRONG_ANSWER, "the server switched to another protocol") from None
        except httptools.HttpParserError as error:
            if not self.complete:  # behind a complete response it is the next one's trouble, which nobody asked for
                raise Failed(Fault.WRONG_ANSWER, f"not HTTP: {error}") from None
        if len(self.headers) > self._limits.headers:
            raise Failed(Fault.WRONG_ANSWER, f"more than {self._limits.headers} headers")
        if self.fed > self._limits.header_bytes + (1 + _FRAMING) * self.size:
            raise Failed(Fault.WRONG_ANSWER, f"more than {self._limits.header_bytes} bytes of headers")
        return None

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header or trailer; called by the parser."""
        if len(self.headers) > self._limits.headers:
            return
        self.headers.append((name, value))
        self._framed = self._framed or name.lower() in (b"content-length", b"transfer-encoding")

    def on_headers_complete(self) -> None:
        """Called by the parser, which tells whether the connection stays open only until the message is complete."""
        self.head = True
        self._keep_alive = bool(self._parser.should_keep_alive())

    def on_body(self, data: bytes) -> None:
        """Keep a piece of the body, as far as wanted; called by the parser."""
        room = len(data) if self._streaming else self._limits.body - self.size
        self.size += len(data)
        if room > 0:
            self.body.append(data[:room])

    def on_message_complete(self) -> None:
        """Called by the parser, for interim responses too."""
        if 100 <= self.status < 200:
            self.head = self._framed = False
            self.headers.clear()
        else:
            self.complete = True

    def take(self) -> bytes:
        """Return the part of the body that came since the last call."""
        data = b"".join(self.body)
        self.body.clear()
        return data

    def _end(self) -> None:
        if self.head and not self._framed:  # the end of the stream ends the body (RFC 9112, section 6.3)
            self.complete = True
            return
        where = "in the middle of the body" if self.head else "in the middle of the headers" if self.fed else ""
        raise Failed(Fault.RESET, f"the server closed the connection {where or 'without an answer'}")
