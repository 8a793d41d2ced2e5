"""Reads the head of an HTTP/1 response as Go's net/http does, whose users our checks stand for.

What Go takes is taken: bare line feeds, folded headers, equal Content-Lengths, a length beside chunked, odd versions
and reasons. What it refuses is refused (tests/corpus/http holds its verdicts). Our own servers are strict.
"""

from __future__ import annotations

import re

import msgspec

from kubesonar.model import Fault, clip
from kubesonar.net.deadline import Failed

Header = tuple[bytes, bytes]

CHUNKED, UNTIL_CLOSE = -2, -1
"""Lengths of bodies that tell their end themselves, or by the end of the stream."""

_SWITCHING = 101
_BODILESS = frozenset({204, 304})
"""Statuses without a body, beside 1xx (RFC 9112, section 6.3)."""

_BLANK = b" \t"
_STATUS_LINE = re.compile(rb"HTTP/(\d)\.(\d) +(\+\d\d|-00|\d{3})(?: .*)?", re.DOTALL)  # Go reads a sign
_NAME = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z ]+")  # a token (RFC 9110, section 5.6.2), or one with spaces, as in Go
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_DIGITS = re.compile(rb"\d+")
_LONGEST = 2**63
_NO_TRAILERS = frozenset({b"content-length", b"transfer-encoding", b"trailer"})
"""Headers that cannot come behind the body that they describe."""
_FRAMING = _NO_TRAILERS | {b"connection"}


class ResponseHead(msgspec.Struct, frozen=True):
    """The status line and headers of a response, the `length` of its body in bytes (or `CHUNKED`, `UNTIL_CLOSE`), and
    whether the connection stays open behind it."""

    status: int
    headers: tuple[Header, ...]
    length: int
    keep_alive: bool

    @property
    def interim(self) -> bool:
        """Whether the final response follows (RFC 9110, section 15.2); 101 is final."""
        return 100 <= self.status < 200 and self.status != _SWITCHING


def parse_head(data: bytes, bodiless: bool = False) -> ResponseHead:
    """Read a head without its empty line. `bodiless` tells that the request was a HEAD, whose response's headers speak
    of a body that does not come. Raises `Failed`."""
    first, *lines = data.split(b"\n")
    found = _STATUS_LINE.fullmatch(first.removesuffix(b"\r"))
    if found is None:
        raise malformed(f"the status line is {_shown(first)}")
    version, status, headers = (int(found[1]), int(found[2])), int(found[3]), parse_headers(lines)
    hops: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        if (lower := name.lower()) in _FRAMING:
            hops.setdefault(lower, []).append(value)
    length = _length(version, hops)
    if bodiless or status // 100 == 1 or status in _BODILESS:
        length = 0
    close = _closes(version, hops.get(b"connection", [])) or length == UNTIL_CLOSE or status == _SWITCHING
    return ResponseHead(status, headers, length, not close)


def parse_headers(lines: list[bytes]) -> tuple[Header, ...]:
    """Return the headers or trailers in these lines, each without its line feed. A line that begins with a blank
    continues the one before (RFC 9112, section 5.2). Raises `Failed`."""
    fields: list[list[bytes]] = []
    for line in lines:
        text = line.removesuffix(b"\r")
        if text[:1] in (b" ", b"\t"):
            if not fields:
                raise malformed("the first header begins with a blank")
            fields[-1].append(text.strip(_BLANK))
        elif b":" in text:
            fields.append([text.rstrip(_BLANK)])
        else:
            raise malformed(f"a header without a colon: {_shown(text)}")
    return tuple(_header(b" ".join(field)) for field in fields)


def malformed(reason: str) -> Failed:
    """Return the failure of a response that breaks HTTP's rules."""
    return Failed(Fault.WRONG_ANSWER, f"not HTTP: {reason}")


def _header(field: bytes) -> Header:
    name, _, value = field.partition(b":")
    if _NAME.fullmatch(name) is None or _CONTROL.search(value):
        raise malformed(f"a header with characters that it may not have: {_shown(field)}")
    return name, value.lstrip(_BLANK)


def _length(version: tuple[int, int], hops: dict[bytes, list[bytes]]) -> int:
    """The length of the body as the headers tell it. HTTP/1.0 knows no transfer encoding."""
    encodings = hops.get(b"transfer-encoding", []) if version >= (1, 1) else []
    if encodings and [encoding.lower() for encoding in encodings] != [b"chunked"]:
        raise malformed(f"Transfer-Encoding {_shown(b', '.join(encodings))} instead of chunked")
    lengths = {value.strip(_BLANK) for value in hops.get(b"content-length", ())}
    if len(lengths) > 1:
        raise malformed("different Content-Lengths")
    length = lengths.pop() if lengths else None
    if length is not None and not (
        _DIGITS.fullmatch(length) and len(length.lstrip(b"0")) < 20 and int(length) < _LONGEST
    ):
        raise malformed(f"Content-Length {_shown(length)}")
    if encodings:
        if _NO_TRAILERS & _tokens(hops.get(b"trailer", [])):
            raise malformed("a trailer is announced that no trailer may be")
        return CHUNKED
    return UNTIL_CLOSE if length is None else int(length)


def _closes(version: tuple[int, int], connection: list[bytes]) -> bool:
    tokens = _tokens(connection)
    if version <= (1, 0):
        return version < (1, 0) or b"close" in tokens or b"keep-alive" not in tokens
    return b"close" in tokens


def _tokens(values: list[bytes]) -> set[bytes]:
    return {token.strip(_BLANK).lower() for value in values for token in value.split(b",")}


def _shown(data: bytes) -> str:
    return repr(clip(data[:80].decode("latin-1"), 60))
