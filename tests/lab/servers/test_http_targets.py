"""The lab's plain targets on the loopback, asked by other people's clients."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import struct
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path
from typing import Any

import dns.asyncquery
import dns.message
import dns.rcode
import pytest
import uvloop

from kubesonar.core.dns.message import Question, encode_answer, encode_question
from kubesonar.core.dns.records import Record, RecordType
from kubesonar.lab.servers.certificates import make_certificates
from kubesonar.lab.servers.http_targets import api_server, ingress
from kubesonar.lab.servers.nameserver import Zone, cluster_records, dns_server
from tests.ports import free_port

HOST = "127.0.0.1"
NAME = "kubernetes.default.svc.cluster.local"
ZONE = Zone("cluster.local", cluster_records(v6="fd00::1"))


def run(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work())


@contextlib.asynccontextmanager
async def running(service: Callable[[int, asyncio.Event], Coroutine[Any, Any, None]]) -> AsyncIterator[int]:
    port, stop = free_port(), asyncio.Event()
    task = asyncio.ensure_future(service(port, stop))
    try:
        while not await listens(port):
            assert not task.done(), task.exception()
        yield port
    finally:
        stop.set()
        await task


async def listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(HOST, port)
    except ConnectionRefusedError:
        await asyncio.sleep(0.01)
        return False
    writer.close()
    return True


async def get(port: int, path: str, trust: ssl.SSLContext | None = None, method: str = "GET") -> tuple[int, bytes]:
    reader, writer = await asyncio.open_connection(HOST, port, ssl=trust)
    writer.write(f"{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
    writer.close()
    return int(head.split(b" ")[1]), body


def test_the_name_server_answers_for_its_zone_by_udp_and_tcp() -> None:
    async def work() -> None:
        async with running(lambda port, stop: dns_server([HOST], port, ZONE, stop)) as port:
            for asking in (dns.asyncquery.udp, dns.asyncquery.tcp):
                for name, kind, rcode, text in (
                    (NAME, "A", dns.rcode.NOERROR, ["10.96.0.1"]),
                    (NAME.upper(), "AAAA", dns.rcode.NOERROR, ["fd00::1"]),
                    (NAME, "TXT", dns.rcode.NOERROR, []),
                    ("gone.cluster.local", "A", dns.rcode.NXDOMAIN, []),
                    ("example.org", "A", dns.rcode.REFUSED, []),
                ):
                    reply = await asking(dns.message.make_query(name, kind), HOST, timeout=5, port=port)
                    assert reply.rcode() == rcode, name
                    assert [str(record) for rrset in reply.answer for record in rrset] == text

    run(work)


def test_what_is_no_question_is_not_answered() -> None:
    """Two servers that answered each other's answers would never stop."""
    question = Question(NAME, RecordType.A, 7)
    assert ZONE.answer(encode_question(question), 512)
    for wire in (b"", b"\0" * 12, b"\xff" * 40, encode_answer(question, 0), encode_question(question)[:-1]):
        assert ZONE.answer_udp(wire) is None


def test_an_answer_that_is_too_long_for_the_client_is_truncated() -> None:
    zone = Zone("cluster.local", [Record("big.cluster.local", RecordType.TXT, 5, (b"x" * 250,)) for _ in range(9)])
    plain = zone.answer_udp(encode_question(Question("big.cluster.local", RecordType.TXT, 7, payload=0)))
    greedy = zone.answer_udp(encode_question(Question("big.cluster.local", RecordType.TXT, 7, payload=65535)))
    assert plain
    assert greedy
    assert struct.unpack_from(">H", plain, 2)[0] & struct.unpack_from(">H", greedy, 2)[0] & 0x0200
    assert len(greedy) <= 1232


def test_the_name_server_stops_in_spite_of_an_open_connection() -> None:
    async def work() -> None:
        async with running(lambda port, stop: dns_server([HOST], port, ZONE, stop)) as port:
            reader, writer = await asyncio.open_connection(HOST, port)
            wire = encode_question(Question(NAME, RecordType.A, 7))
            writer.write(len(wire).to_bytes(2, "big") + wire)
            assert len(await reader.readexactly(2)) == 2
        writer.close()

    run(work)


def test_the_api_server_shows_its_certificate_and_its_pages(tmp_path: Path) -> None:
    made = make_certificates(tmp_path, ["kubernetes.default.svc", HOST])
    assert made.key.stat().st_mode & 0o077 == 0
    roster = tmp_path / "members.json"
    roster.write_text('{"version": 1, "members": []}')

    async def work() -> None:
        trust = ssl.create_default_context(cafile=str(made.authority))
        async with running(lambda port, stop: api_server([HOST], port, made, roster, stop)) as port:
            status, body = await get(port, "/version", trust)
            assert (status, b"gitVersion" in body) == (200, True)
            assert await get(port, "/readyz", trust) == (200, b"ok")
            assert await get(port, "/healthz", trust) == (200, b"ok")
            assert (await get(port, "/api/v1/pods", trust))[0] == 200
            assert (await get(port, "/api/v1/secrets", trust))[0] == 404
            assert (await get(port, "/version", trust, "POST"))[0] == 405

    run(work)


async def upstream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + head.split(b"\r\n")[0])
    await writer.drain()
    writer.close()


async def garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"no HTTP at all")
    writer.close()


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(-1)
    writer.close()


def test_the_ingress_forwards_and_passes_over_upstreams_that_are_gone() -> None:
    async def work() -> None:
        async with await asyncio.start_server(upstream, HOST, 0) as server:
            good, gone = server.sockets[0].getsockname(), (HOST, free_port())
            async with running(lambda port, stop: ingress([HOST], port, [good, gone], stop)) as port:
                for _ in range(4):
                    assert await get(port, "/a%0d%0ab?c=d") == (200, b"GET /a%0d%0ab?c=d HTTP/1.0")
                assert (await get(port, "/", method="POST"))[0] == 405

    run(work)


@pytest.mark.parametrize(("serve", "status"), [(garbage, 502), (silent, 504), (None, 502)])
def test_the_ingress_says_what_is_wrong_behind_it(serve: Any, status: int) -> None:
    async def work() -> None:
        async with await asyncio.start_server(serve or silent, HOST, 0) as server:
            behind = [server.sockets[0].getsockname()] if serve else []
            async with running(lambda port, stop: ingress([HOST], port, behind, stop, timeout=0.3)) as port:
                assert (await get(port, "/"))[0] == status

    run(work)
