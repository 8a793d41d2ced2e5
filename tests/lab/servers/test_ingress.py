"""The lab's ingress, with upstreams that are well, gone, silent or no HTTP servers."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from kubesonar.lab.servers.ingress import ingress
from tests.lab.servers.support import HOST, get, run, running
from tests.ports import free_port


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


def test_a_slow_upstream_is_waited_for_while_the_next_one_is_asked() -> None:
    async def work() -> None:
        next_is_asked = asyncio.Event()

        async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await next_is_asked.wait()
            await upstream(reader, writer)

        async def stuck(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            next_is_asked.set()
            await silent(reader, writer)

        async with (
            await asyncio.start_server(slow, HOST, 0) as first,
            await asyncio.start_server(stuck, HOST, 0) as last,
        ):
            behind = [server.sockets[0].getsockname() for server in (last, first)]
            async with running(lambda port, stop: ingress([HOST], port, behind, stop)) as port:
                assert await get(port, "/") == (200, b"GET / HTTP/1.0")

    run(work)
