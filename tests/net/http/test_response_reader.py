from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kubesonar.model import Fault
from kubesonar.net.deadline import Failed
from kubesonar.net.http.connection import HttpConnection
from kubesonar.net.http.exchange import HttpRequest, Response
from kubesonar.net.http.origin import Origin
from kubesonar.net.http.response_reader import ResponseLimits, ResponseReader
from kubesonar.net.http.url import parse_url
from tests.net.http.asking import CHUNKED, ask, played
from tests.net.rig import run
from tests.net.servers import endless, serving

ODD = json.loads((Path(__file__).parents[2] / "corpus" / "http" / "odd_answers.json").read_text())
"""Answers with the verdict of Go's client: a `status` and the size of the body, or an `error`."""


def _odd_answer(pieces: list[Any]) -> bytes:
    """Each character of a piece is one byte; [piece, count] repeats it."""
    texts = [piece if isinstance(piece, str) else piece[0] * piece[1] for piece in pieces]
    return "".join(texts).encode("latin-1")


@pytest.mark.parametrize("size", [1, 100_000], ids=["byte by byte", "at once"])
def test_odd_answers_are_judged_as_by_go(size: int) -> None:
    """Bytes that a test's loop would feed for minutes one by one are fed at once."""
    unlike = []
    for row in ODD:
        data = _odd_answer(row["answer"])
        step = size if len(data) < 5_000 else 100_000
        reader = ResponseReader(ResponseLimits(), bodiless=row.get("method") == "HEAD")
        try:
            for at in range(0, len(data), step):
                reader.feed(data[at : at + step])
            if not reader.complete:
                reader.feed(b"")
            judged = {"status": reader.status, "body": reader.size}
        except Failed as failed:
            judged = {"status": 0, "body": 0}
            assert failed.fault in (Fault.WRONG_ANSWER, Fault.RESET), row["what"]
            assert failed.detail, row["what"]
        if judged != {"status": row["status"], "body": row["body"]}:
            unlike.append((row["what"], judged, row))
    assert unlike == []


def test_the_table_of_odd_answers_is_there() -> None:
    assert len(ODD) >= 200
    assert 0 < sum("error" in row for row in ODD) < len(ODD)


@pytest.mark.parametrize("start", [b"SSH-2.0-OpenSSH_9.2", bytes(5), b"\x16\x03\x03", b"htt"])
def test_what_does_not_begin_as_http_is_told_at_once(start: bytes) -> None:
    with pytest.raises(Failed, match="not HTTP"):
        ResponseReader(ResponseLimits()).feed(start)


@pytest.mark.parametrize(
    ("answer", "reusable"),
    [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", True),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokmore", False),
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: x, CLOSE\r\n\r\nok", False),
        ("HTTP/1.1 200 OK\r\n\r\nok", False),
        ("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", False),
        ("HTTP/1.0 200 OK\r\nContent-Length: 2\r\nConnection: Keep-Alive\r\n\r\nok", True),
        ("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n\r\nok", False),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", True),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nHTTP", False),
        ("HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\n", True),
        ("HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\nok", False),
        ("HTTP/1.1 101 Switching\r\n\r\n", False),
    ],
)
def test_a_connection_carries_another_request_where_nothing_is_left_on_it(answer: str, reusable: bool) -> None:
    reader = ResponseReader(ResponseLimits())
    reader.feed(answer.encode())
    assert reader.reusable is reusable


def test_a_body_in_chunks_and_interim_answers_passed_over() -> None:
    response, _ = played(
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", CHUNKED + b"2\r\nab\r\n", b"1\r\nc\r\n0\r\n\r\n"
    )
    assert (response.status, response.body, response.complete) == (200, b"abc", True)
    assert not response.header("Link")


def test_a_body_that_ends_with_the_stream() -> None:
    response, _ = played(b"HTTP/1.0 200 OK\r\n\r\n", b"all", b"")
    assert (response.body, response.complete, response.fault) == (b"all", True, None)


def test_a_head_has_no_body() -> None:
    head = HttpRequest.make("HEAD", parse_url("http://example/"))
    response, _ = played(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", request=head)
    assert (response.status, response.fault) == (200, None)


def test_reading_ends_at_the_bound_of_the_body() -> None:
    response, twin = played(
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n", bytes(100), limits=ResponseLimits(body=10)
    )
    assert (response.status, response.body, response.complete, response.fault) == (200, bytes(10), False, None)
    assert twin.log[-1] == "close"


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (b"", Fault.RESET),
        (b"HTTP/1.1 200 OK\r\nContent-", Fault.RESET),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", Fault.RESET),
        (b"SSH-2.0-OpenSSH_9.2\r\n", Fault.WRONG_ANSWER),
        (bytes(100), Fault.WRONG_ANSWER),
        (CHUNKED + b"zz\r\n", Fault.WRONG_ANSWER),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", Fault.WRONG_ANSWER),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 10_001 + b"\r\n", Fault.WRONG_ANSWER),
        (b"HTTP/1.1 200 OK\r\nA: b\r\n" + b" c\r\n" * 10_001 + b"\r\n", Fault.WRONG_ANSWER),
    ],
)
def test_what_is_no_answer_is_a_fault_and_the_connection_is_reset(answer: bytes, fault: Fault) -> None:
    response, twin = played(answer)
    assert response.fault is fault
    assert response.detail
    assert twin.log[-1] == "abort"


@pytest.mark.parametrize(
    ("start", "piece"),
    [
        (b"HTTP/1.1 200 OK\r\nX: ", b"a" * 16_384),
        (b"HTTP/1.1 200 OK\r\n", b"A: b\r\n" * 1000),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
        (CHUNKED + b"1\r\na\r\n0\r\nX: ", b"a" * 16_384),
        (CHUNKED + b"1;x=", b"a" * 16_384),
    ],
    ids=["a header without end", "headers", "interim answers", "a trailer", "a chunk extension"],
)
def test_what_has_no_end_is_a_wrong_answer(start: bytes, piece: bytes) -> None:
    async def scenario() -> Response:
        async with serving(endless(start, piece)) as port:
            return await ask(HttpConnection(Origin("127.0.0.1", port)))

    response = run(scenario())
    assert response.fault is Fault.WRONG_ANSWER
    assert "more than" in response.detail
