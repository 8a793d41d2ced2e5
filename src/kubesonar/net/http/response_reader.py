"""Reads one HTTP/1 response of a server that may be hostile: what it can make us keep is bounded."""

from __future__ import annotations

import msgspec

from kubesonar.model import Fault
from kubesonar.net.deadline import Failed
from kubesonar.net.http.chunked import ChunkedDecoder
from kubesonar.net.http.response_head import CHUNKED, UNTIL_CLOSE, Header, ResponseHead, malformed, parse_head


class ResponseLimits(msgspec.Struct, frozen=True):
    """Bounds of a response. More than `header_bytes` of headers (status line and interim responses included) or more
    than `headers` lines of one head is a wrong answer. More than `body` bytes of body is none: reading ends there, with
    -1 before the body."""

    header_bytes: int = 1_048_576
    headers: int = 10_000
    body: int = 65_536


HEAD_ONLY = ResponseLimits(body=-1)
"""Limits of a response whose body nobody wants."""

_BEGIN = b"HTTP/"


class ResponseReader:
    """A response as it comes in; interim ones (1xx) are passed over. `body` collects at most `limits.body` bytes, with
    `streaming` all of it, so `take` it after each `feed` then. `bodiless`: the request was a HEAD."""

    def __init__(self, limits: ResponseLimits, streaming: bool = False, *, bodiless: bool = False) -> None:
        self.head = False
        self.complete = False
        self.status = 0
        self.headers: tuple[Header, ...] = ()
        self.body: list[bytes] = []
        self.fed = 0
        self.size = 0
        self._limits = limits
        self._streaming = streaming
        self._bodiless = bodiless
        self._heads = bytearray()  # unread as yet
        self._searched = 0
        self._head_room = limits.header_bytes
        self._keep_alive = False
        self._length = UNTIL_CLOSE
        self._chunks: ChunkedDecoder | None = None

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
        if self.head:
            return self._feed_body(data)
        self._heads += data
        while (head := self._next_head()) is not None:
            if not head.interim:
                self._begin(head)
                return self._feed_body(bytes(self._heads))
        return None

    def take(self) -> bytes:
        """Return the part of the body that came since the last call."""
        data = b"".join(self.body)
        self.body.clear()
        return data

    def _next_head(self) -> ResponseHead | None:
        """Cut the next head off what came; None where it is not whole yet."""
        found = [(at, len(end)) for end in (b"\n\r\n", b"\n\n") if (at := self._heads.find(end, self._searched)) >= 0]
        at, length = min(found, default=(len(self._heads), 0))
        if at > self._head_room:
            raise Failed(Fault.WRONG_ANSWER, f"more than {self._limits.header_bytes} bytes of headers")
        if not _BEGIN.startswith(self._heads[: len(_BEGIN)]):  # told at once: what is no HTTP may never end a line
            raise malformed(f"it begins with {bytes(self._heads[:20]).decode('latin-1')!r}")
        if not found:
            self._searched = max(0, at - 2)
            return None
        if self._heads.count(b"\n", 0, at) > self._limits.headers:
            raise Failed(Fault.WRONG_ANSWER, f"more than {self._limits.headers} headers")
        head = parse_head(bytes(self._heads[:at]), self._bodiless)
        del self._heads[: at + length]
        self._head_room -= at + length
        self._searched = 0
        return head

    def _begin(self, head: ResponseHead) -> None:
        self.head, self.status, self.headers = True, head.status, head.headers
        self._keep_alive, self._length = head.keep_alive, head.length
        self._chunks = ChunkedDecoder() if head.length == CHUNKED else None

    def _feed_body(self, data: bytes) -> None:
        if self._chunks is not None and not self.complete:
            for piece in self._chunks.feed(data):
                self._keep(piece)
            self.complete = self._chunks.complete
            data = self._chunks.rest if self.complete else b""
        elif self._length == UNTIL_CLOSE:
            self._keep(data)
            data = b""
        elif not self.complete:
            left = self._length - self.size
            if data and left:
                self._keep(data[:left])
            self.complete = self.size == self._length
            data = data[left:]
        if self.complete and data:  # the next response's trouble, which nobody asked for
            self._keep_alive = False

    def _keep(self, data: bytes) -> None:
        room = len(data) if self._streaming else self._limits.body - self.size
        self.size += len(data)
        if room > 0:
            self.body.append(data[:room])

    def _end(self) -> None:
        if self.head and self._length == UNTIL_CLOSE:  # the end of the stream ends the body (RFC 9112, section 6.3)
            self.complete = True
            return
        where = "in the middle of the body" if self.head else "in the middle of the headers" if self.fed else ""
        raise Failed(Fault.RESET, f"the server closed the connection {where or 'without an answer'}")
