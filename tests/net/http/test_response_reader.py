from __future__ import annotations

import pytest

from kubesonar.model import Fault
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.http.connection import HttpConnection
from kubesonar.net.http.exchange import HttpRequest, Response
from kubesonar.net.http.origin import Origin
from kubesonar.net.http.response_reader import ResponseLimits
from kubesonar.net.http.url import parse_url
from tests.net.rig import run
from tests.net.servers import Twin, endless, serving

GET = HttpRequest.make("GET", parse_url("http://example/"))


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


async def _ask(
    connection: HttpConnection, request: HttpRequest = GET, limits: ResponseLimits | None = None
) -> Response:
    with Deadline(5) as deadline:
        return await connection.request(request, deadline, limits or ResponseLimits())


def _twin(
    *entries: bytes | Failed, request: HttpRequest = GET, limits: ResponseLimits | None = None
) -> tuple[Response, Twin]:
    twin = Twin(*entries)
    return run(_ask(HttpConnection(Origin("192.0.2.1", 80, wire=lambda patience: twin)), request, limits)), twin


def test_a_body_in_chunks_and_interim_answers_passed_over() -> None:
    response, _ = _twin(
        b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", CHUNKED + b"2\r\nab\r\n", b"1\r\nc\r\n0\r\n\r\n"
    )
    assert (response.status, response.body, response.complete) == (200, b"abc", True)
    assert not response.header("Link")


def test_a_body_that_ends_with_the_stream() -> None:
    response, _ = _twin(b"HTTP/1.0 200 OK\r\n\r\n", b"all", b"")
    assert (response.body, response.complete, response.fault) == (b"all", True, None)


def test_a_head_has_no_body() -> None:
    head = HttpRequest.make("HEAD", parse_url("http://example/"))
    response, _ = _twin(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n", request=head)
    assert (response.status, response.fault) == (200, None)


def test_reading_ends_at_the_bound_of_the_body() -> None:
    response, twin = _twin(
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
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", Fault.WRONG_ANSWER),
        (b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", Fault.WRONG_ANSWER),
        (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 101 + b"\r\n", Fault.WRONG_ANSWER),
    ],
)
def test_what_is_no_answer_is_a_fault_and_the_connection_is_reset(answer: bytes, fault: Fault) -> None:
    response, twin = _twin(answer)
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
            return await _ask(HttpConnection(Origin("127.0.0.1", port)))

    response = run(scenario())
    assert response.fault is Fault.WRONG_ANSWER
    assert "headers" in response.detail
