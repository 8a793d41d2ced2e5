"""Bodies in chunks, whole and in pieces of any size."""

from __future__ import annotations

import pytest

from kubesonar.model import Fault
from kubesonar.net.deadline import Failed
from kubesonar.net.http.chunked import ChunkedDecoder

WHOLE = b"4\r\nWiki\r\n5;name=value\r\npedia\r\n0\r\nTrailer: x\r\n\r\nGET"


@pytest.mark.parametrize("size", [1, 2, 7, len(WHOLE)])
def test_pieces_of_any_size_make_the_same_body(size: int) -> None:
    decoder, body = ChunkedDecoder(), b""
    for start in range(0, len(WHOLE), size):
        body += b"".join(decoder.feed(WHOLE[start : start + size]))
    assert (body, decoder.complete) == (b"Wikipedia", True)
    assert WHOLE.endswith(decoder.rest)


def test_what_comes_behind_the_last_chunk_is_kept() -> None:
    decoder = ChunkedDecoder()
    assert decoder.feed(b"0\r\n\r\nHTTP/1.1 200 OK") == []
    assert (decoder.complete, decoder.rest) == (True, b"HTTP/1.1 200 OK")


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"zz\r\n", "a chunk's size is 'zz'"),
        (b"-1\r\n", "a chunk's size is '-1'"),
        (b"0x1\r\n", "a chunk's size is '0x1'"),
        (b"\r\n", "a chunk's size is ''"),
        (b"1" * 17 + b"\r\n", "a chunk's size is"),
        (b"1\n", "does not end in CR and LF"),
        (b"1\r\r\n", "does not end in CR and LF"),
        (b"1\r\nabc", "a chunk is longer than its size"),
        (b"1" + b" " * 5000, "a chunk's size of more than 4096 bytes"),
        (b"0\r\nX: " + b"x" * 5000, "trailers of more than 4096 bytes"),
        (b"1;x=" + b"y" * 3000 + b"\r\na\r\n" + 10 * (b"1;x=" + b"y" * 3000 + b"\r\na\r\n"), "more framing of chunks"),
    ],
)
def test_what_is_no_chunk_is_a_wrong_answer(data: bytes, reason: str) -> None:
    with pytest.raises(Failed) as failed:
        ChunkedDecoder().feed(data)
    assert failed.value.fault is Fault.WRONG_ANSWER
    assert reason in failed.value.detail
