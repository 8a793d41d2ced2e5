"""HTTP as clients speak it, well and badly, over real sockets."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kubesonar.web import Reply, Request
from kubesonar.web.connection_set import BODIES_LIMIT
from tests.web.support import ask, connected, error_of, get, parsed, port_of, run, serving


def test_requests_on_one_connection_are_answered_in_order() -> None:
    async def work() -> bytes:
        async with serving() as server:
            return await ask(
                server,
                b"GET /a HTTP/1.1\r\nhost: x\r\n\r\nPOST /b%20c?q=1 HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc"
                b"GET /d HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
            )

    raw = run(work)
    assert raw.count(b"HTTP/1.1 200 OK\r\n") == 3
    assert raw.index(b"GET /a 0") < raw.index(b"POST /b c 3") < raw.index(b"GET /d 0")
    assert raw.count(b"connection: keep-alive") == 2


def test_an_old_client_gets_its_answer_and_an_end() -> None:
    async def work() -> bytes:
        async with serving() as server:
            return await ask(server, b"GET / HTTP/1.0\r\n\r\n")

    assert parsed(run(work))[1]["connection"] == "close"


def test_a_client_that_has_said_all_may_close_its_half() -> None:
    async def work() -> bytes:
        async with serving() as server, connected(server) as (reader, writer):
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            writer.write_eof()
            return await reader.read()

    assert run(work).endswith(b"GET / 0")


def test_head_has_no_body_but_its_length() -> None:
    async def work() -> tuple[int, dict[str, str], bytes]:
        async with serving() as server:
            return await get(server, "/", method="HEAD")

    status, headers, body = run(work)
    assert (status, headers["content-length"], body) == (200, "8", b"")


def test_an_upgrade_is_not_made_but_answered() -> None:
    async def work() -> tuple[int, dict[str, str], bytes]:
        async with serving() as server:
            raw = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n"
            return parsed(await ask(server, raw))

    assert run(work)[0] == 200


def test_a_client_may_ask_before_it_sends_the_body() -> None:
    async def work() -> bytes:
        async with serving() as server, connected(server) as (reader, writer):
            writer.write(b"POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n")
            assert await reader.readline() == b"HTTP/1.1 100 Continue\r\n"
            writer.write(b"ok")
            writer.write_eof()
            return await reader.read()

    assert run(work).endswith(b"POST / 2")


def test_a_response_without_length_is_chunked() -> None:
    async def pieces() -> AsyncGenerator[bytes, None]:
        for piece in (b"one", b"", b"two"):
            yield piece

    async def stream(request: Request) -> Reply:
        return Reply(pieces())

    async def work() -> tuple[bytes, bytes]:
        async with serving(stream) as server:
            new = await ask(server, b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            return new, await ask(server, b"GET / HTTP/1.0\r\n\r\n")

    new, old = run(work)
    assert new.endswith(b"3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")
    assert old.endswith(b"\r\n\r\nonetwo")


def test_a_handler_that_crashes_is_logged_and_the_next_request_is_answered(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def crash(request: Request) -> Reply:
        raise KeyError(request.path)

    async def work() -> list[tuple[int, str]]:
        async with serving(crash) as server:
            return [error_of(await ask(server, b"GET /x HTTP/1.1\r\nhost: x\r\n\r\n")) for _ in range(2)]

    with caplog.at_level(logging.ERROR):
        assert [status for status, _ in run(work)] == [500, 500]
    assert "answering /x crashed" in caplog.text


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 10, 400),
        (b"GET / HTTP/1.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: x\r\nhost: y\r\n\r\n", 400),
        (b"CONNECT a:1 HTTP/1.1\r\nhost: x\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nx: " + b"a" * 20_000, 431),
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\n" + b"x: y\r\n" * 100_000, 431),
        (b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100000000\r\n\r\n" + b"a" * 300_000, 413),
        (b"POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 100_000, 413),
    ],
)
def test_a_bad_request_is_refused_in_the_shape_of_every_error(raw: bytes, status: int) -> None:
    async def work() -> tuple[bytes, int]:
        async with serving() as server:
            return await ask(server, raw), server.refused

    answer, refused = run(work)
    assert error_of(answer)[0] == status
    assert refused == 1


def test_a_request_byte_by_byte_is_answered() -> None:
    async def work() -> bytes:
        async with serving() as server, connected(server) as (reader, writer):
            for byte in b"GET /slow HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n":
                writer.write(bytes([byte]))
                await writer.drain()
                await asyncio.sleep(0)
            return await reader.read()

    assert run(work).endswith(b"GET /slow 0")


def test_a_request_that_does_not_arrive_in_time_is_refused() -> None:
    async def work() -> bytes:
        async with serving(request=0.1) as server:
            return await ask(server, b"GET / HTTP/1.1\r\nhost")

    assert error_of(run(work)) == (408, "the request did not arrive within 0.1 s")


def test_silence_is_closed_before_and_between_requests() -> None:
    async def work() -> tuple[bytes, bytes]:
        async with serving(request=0.1, idle=0.1) as server:
            return await ask(server, b""), await ask(server, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")

    silent, once = run(work)
    assert silent == b""
    assert once.endswith(b"GET / 0")


def test_a_client_that_does_not_take_its_answer_is_cut_off() -> None:
    async def work() -> int:
        cut = asyncio.Event()

        async def pieces() -> AsyncGenerator[bytes, None]:
            try:
                for _ in range(400):
                    yield b"a" * 65_536
            finally:
                cut.set()

        async def flood(request: Request) -> Reply:
            return Reply(pieces())

        async with serving(flood, response=0.2) as server:
            with socket.create_connection(("127.0.0.1", port_of(server))) as client:
                client.send(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
                async with asyncio.timeout(5):
                    await cut.wait()
            return server.connections

    assert run(work) == 0


def test_those_who_only_hold_connections_open_are_shown_out() -> None:
    async def work() -> tuple[bytes, int]:
        async with serving(connections=4) as server:
            holders = [await asyncio.open_connection("127.0.0.1", port_of(server)) for _ in range(8)]
            answer = await ask(server, b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            for _, writer in holders:
                writer.close()
            return answer, server.refused

    answer, refused = run(work)
    assert answer.endswith(b"GET / 0")
    assert refused == 5


def test_bodies_that_come_slowly_over_many_connections_take_no_more_room_than_the_bound() -> None:
    size, held, small = 8 << 20, 7 << 20, 1 << 20
    many = BODIES_LIMIT // held + 2

    async def work() -> tuple[list[bytes], bytes]:
        async with serving(body=size) as server, AsyncExitStack() as closing:
            holders = [await closing.enter_async_context(connected(server)) for _ in range(many)]
            readers = [asyncio.create_task(reader.read()) for reader, _ in holders]
            for _, writer in holders:
                writer.write(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % size)
                writer.write(bytes(held))
            for _, writer in holders:
                with suppress(ConnectionError):
                    await writer.drain()
            head = b"POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: %d\r\n\r\n" % small
            answer = await ask(server, head + bytes(small))
            done, waiting = await asyncio.wait(readers, return_when=asyncio.FIRST_COMPLETED)
            for task in waiting:
                task.cancel()
            return [task.result() for task in done], answer

    refused, answer = run(work)
    assert answer.endswith(b"POST / %d" % small)
    assert {error_of(each) for each in refused} == {(503, "too many request bodies at once")}


def test_where_all_are_being_answered_one_more_is_told_so() -> None:
    async def work() -> bytes:
        entered, release = asyncio.Event(), asyncio.Event()

        async def wait(request: Request) -> Reply:
            entered.set()
            await release.wait()
            return Reply(status=204)

        async with serving(wait, connections=1) as server, connected(server) as (reader, writer):
            writer.write(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
            await entered.wait()
            refused = await ask(server, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            release.set()
            assert (await reader.read()).startswith(b"HTTP/1.1 204 No Content\r\n")
            return refused

    assert error_of(run(work)) == (503, "too many connections")


def test_more_requests_ahead_than_allowed_are_dropped() -> None:
    async def work() -> bytes:
        async with serving() as server:
            return await ask(server, b"GET / HTTP/1.1\r\nhost: x\r\n\r\n" * 100)

    assert run(work).count(b"HTTP/1.1 200 OK") <= 17


@settings(max_examples=50, deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=5))
def test_whatever_comes_the_server_stays_up(pieces: list[bytes]) -> None:
    async def work() -> tuple[int, dict[str, str], bytes]:
        async with serving(request=0.05, idle=0.05) as server:
            async with connected(server) as (reader, writer):
                for piece in (b"GET / HTTP/1.1\r\n", *pieces):
                    writer.write(piece)
                writer.write_eof()
                with suppress(ConnectionResetError):  # by a server that closes before it has read all
                    await reader.read()
            return await get(server, "/")

    assert run(work)[0] == 200
