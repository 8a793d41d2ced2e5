"""The chunked transfer coding (RFC 9112, section 7.1), as strict as Go's net/http."""

from __future__ import annotations

import re

from kubesonar.net.http.response_head import malformed, parse_headers

_LINE = 4096
"""Longest line of a chunk's size with its extensions, and longest trailers, in bytes, as in Go."""

_EXCESS, _FREE = 16_384, 16
"""Bytes of framing beyond `_FREE` a chunk and twice its data after which a body is taken for an attack, as in Go."""

_SIZE = re.compile(rb"[0-9A-Fa-f]{1,16}")
_END = b"\r\n"


class ChunkedDecoder:
    """A chunked body as it comes in. `complete` is set behind the last chunk and its trailers, which are checked and
    dropped; `rest` then holds what came behind them."""

    def __init__(self) -> None:
        self.complete = False
        self.rest = b""
        self._left = 0  # bytes of the chunk under way that are still to come
        self._step = self._size
        self._excess = 0

    def feed(self, data: bytes) -> list[bytes]:
        """Return the pieces of the body that `data` adds. Raises `Failed`."""
        pieces: list[bytes] = []
        self.rest += data
        while not self.complete and self._step(pieces):
            pass
        return pieces

    def _size(self, pieces: list[bytes]) -> bool:
        end = self.rest.find(b"\n", 0, _LINE)
        if end < 0:
            if len(self.rest) >= _LINE:
                raise malformed(f"a chunk's size of more than {_LINE} bytes")
            return False
        line = self.rest[: end + 1]
        if not line.endswith(_END) or b"\r" in line[:-2]:
            raise malformed("a chunk's size does not end in CR and LF")
        size = line.rstrip(b" \t\r\n").partition(b";")[0]
        if _SIZE.fullmatch(size) is None:
            raise malformed(f"a chunk's size is {size[:20].decode('latin-1')!r}")
        self._left = int(size, 16)
        self._excess = max(0, self._excess + len(line) + len(_END) - _FREE - 2 * self._left)
        if self._excess > _EXCESS:
            raise malformed("more framing of chunks than their data explain")
        self.rest = self.rest[end + 1 :]
        self._step = self._data if self._left else self._trailers
        return True

    def _data(self, pieces: list[bytes]) -> bool:
        piece = self.rest[: self._left]
        if piece:
            pieces.append(piece)
            self.rest = self.rest[len(piece) :]
            self._left -= len(piece)
        if not self._left:
            self._step = self._data_end
        return not self._left

    def _data_end(self, pieces: list[bytes]) -> bool:
        if len(self.rest) < len(_END):
            return False
        if not self.rest.startswith(_END):
            raise malformed("a chunk is longer than its size")
        self.rest = self.rest[len(_END) :]
        self._step = self._size
        return True

    def _trailers(self, pieces: list[bytes]) -> bool:
        if self.rest.startswith(_END):
            end, length = 0, len(_END)
        else:
            end, length = self.rest.find(_END + _END, 0, _LINE), 2 * len(_END)
            if end < 0 and len(self.rest) >= _LINE:
                raise malformed(f"trailers of more than {_LINE} bytes")
        if end > 0:
            parse_headers(self.rest[:end].split(b"\n"))
        if end >= 0:
            self.rest = self.rest[end + length :]
            self.complete = True
        return end >= 0
