from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from kubesonar.model import Fault, Phase
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.http.connection import HttpConnection
from kubesonar.net.http.exchange import HttpRequest, Response
from kubesonar.net.http.origin import Origin
from kubesonar.net.http.response_reader import ResponseLimits
from kubesonar.net.http.url import parse_url
from kubesonar.net.ticks import Ticks
from tests.net.http.asking import CHUNKED, GET, ask, played
from tests.net.rig import run
from tests.net.servers import OK, Twin, asked, endless, saying, serving


def test_the_three_verbs_in_order_and_every_phase() -> None:
    response, twin = played(b"HTTP/1.1 200 OK\r\nContent-Len", b"gth: 2\r\nX-A: b\r\n\r\n", b"ok")
    assert twin.log == ["connect 192.0.2.1 80", "write", "read", "read", "read", "close"]
    assert twin.written == b"GET / HTTP/1.1\r\nHost: example\r\n\r\n"
    assert (response.status, response.body, response.complete, response.fault) == (200, b"ok", True, None)
    assert response.header("x-a") == "b"
    assert [span.phase for span in response.phases] == [Phase.CONNECT, Phase.WRITE, Phase.FIRST_BYTE, Phase.BODY]
    ends = [(span.start, span.end) for span in response.phases]
    assert all(start <= end for start, end in ends)
    assert [end for _, end in ends[:-1]] == [start for start, _ in ends[1:]]


@pytest.mark.parametrize("start", [b"", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_byte_by_byte_does_not_outlive_the_deadline(start: bytes) -> None:
    async def scenario() -> Response:
        async with serving(endless(start, b"H"[: len(start)] or b" ", 0.01)) as port:
            with Deadline(0.2) as deadline:
                return await HttpConnection(Origin("127.0.0.1", port)).request(GET, deadline)

    assert run(scenario()).fault in (Fault.TIMEOUT, Fault.WRONG_ANSWER)


def test_a_kept_connection_is_asked_again() -> None:
    async def scenario() -> None:
        async with serving(saying(OK, stay=True)) as port:
            connection = HttpConnection(Origin("127.0.0.1", port), keep=True)
            first, second = await ask(connection), await ask(connection)
            connection.close()
        assert (first.reused, second.reused) == (False, True)
        assert first.source_port == second.source_port
        assert [span.phase for span in second.phases] == [Phase.WRITE, Phase.FIRST_BYTE, Phase.BODY]

    run(scenario())


def test_answers_that_may_wait_come_in_ticks_over_the_connection_that_is_open() -> None:
    async def scenario() -> tuple[list[int], int]:
        ticks = 0

        def count() -> None:
            nonlocal ticks
            ticks += 1

        Ticks.of(asyncio.get_running_loop()).read_each(count)
        async with serving(saying(OK, stay=True)) as port:
            connection = HttpConnection(Origin("127.0.0.1", port), keep=True)
            answers = [await ask(connection)]
            before = ticks
            for _ in range(8):
                connection.answer_in_ticks()
                answers.append(await ask(connection))
            connection.close()
        return [answer.status for answer in answers], ticks - before

    statuses, ticks = run(scenario(), tick=0.02)
    assert statuses == [200] * 9
    assert ticks >= 8, "each waits for a tick"


def test_a_connection_closed_meanwhile_is_replaced_unseen() -> None:
    async def scenario() -> None:
        async with serving(saying(OK)) as port:
            connection = HttpConnection(Origin("127.0.0.1", port), keep=True)
            first = await ask(connection)
            await asyncio.sleep(0.02)
            second = await ask(connection)
            connection.close()
        assert (first.status, second.status, second.reused) == (200, 200, False)

    run(scenario())


def _second_dies(method: str) -> tuple[Response, list[Twin]]:
    made: list[Twin] = []
    scripts = [Twin(OK, Failed(Fault.RESET, "gone")), Twin(OK)]

    def wire(patience: float) -> Twin:
        made.append(scripts[len(made)])
        return made[-1]

    async def scenario() -> Response:
        connection = HttpConnection(Origin("192.0.2.1", 80, wire=wire), keep=True)
        await ask(connection)
        return await ask(connection, HttpRequest.make(method, parse_url("http://example/")))

    return run(scenario()), made


def test_a_safe_request_that_a_dying_connection_ate_is_asked_again() -> None:
    response, made = _second_dies("GET")
    assert (response.status, response.reused, len(made)) == (200, False, 2)
    assert response.phases[0].phase is Phase.CONNECT


def test_an_unsafe_one_is_not() -> None:
    response, made = _second_dies("POST")
    assert (response.fault, len(made)) == (Fault.RESET, 1)


def test_lines_as_they_come() -> None:
    async def watch(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asked(reader)
        writer.write(CHUNKED)
        for piece in (b"on", b"e\ntw", b"o\n\nlast"):
            writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            await writer.drain()
            await asyncio.sleep(0.005)
        writer.write(b"0\r\n\r\n")

    async def scenario() -> list[bytes]:
        async with serving(watch) as port:
            connection = HttpConnection(Origin("127.0.0.1", port))
            with Deadline(5) as deadline:
                response = await connection.request(GET, deadline, streaming=True)
            assert (response.status, response.fault) == (200, None)
            return [line async for line in connection.lines(5, 100)]

    assert run(scenario()) == [b"one", b"two", b"", b"last"]


def test_a_stream_beyond_the_bound_of_bodies_goes_on_and_may_be_left() -> None:
    async def scenario() -> int:
        async with serving(endless(CHUNKED, b"400\r\n" + bytes(1024) + b"\r\n")) as port:
            connection = HttpConnection(Origin("127.0.0.1", port))
            with Deadline(5) as deadline:
                await connection.request(GET, deadline, ResponseLimits(body=10), streaming=True)
            size = 0
            async with aclosing(connection.chunks(5)) as chunks:
                async for data in chunks:
                    size += len(data)
                    if size > 1_000_000:
                        break
            return size

    assert run(scenario()) > 1_000_000


@pytest.mark.parametrize(
    ("piece", "pause", "fault"), [(b"1\r\na\r\n", 0.0, Fault.WRONG_ANSWER), (b"", 1.0, Fault.TIMEOUT)]
)
def test_a_line_without_end_and_silence_end_a_stream(piece: bytes, pause: float, fault: Fault) -> None:
    async def scenario() -> Fault:
        async with serving(endless(CHUNKED + b"1\r\na\r\n", piece, pause)) as port:
            connection = HttpConnection(Origin("127.0.0.1", port))
            with Deadline(5) as deadline:
                await connection.request(GET, deadline, streaming=True)
            with pytest.raises(Failed) as failed:
                async for _ in connection.lines(0.1, 1000):
                    pass
            return failed.value.fault

    assert run(scenario()) is fault
