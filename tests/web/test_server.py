"""Several listeners in one process, and their orderly end."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kubesonar.config import ConfigError
from kubesonar.web import Listener, ListenOptions, Reply, Request, Server
from tests.waiting import until
from tests.web.support import connected, get, hello, port_of, run, serving

REQUEST = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"


def test_each_listener_has_its_own_handler(tmp_path: Path) -> None:
    async def other(request: Request) -> Reply:
        return Reply(status=204)

    async def work() -> tuple[int, int]:
        addresses = ("127.0.0.1:0", f"unix:{tmp_path}/s")
        handlers = (hello, other)
        server = Server(
            [
                Listener(ListenOptions(address=where), handler)
                for where, handler in zip(addresses, handlers, strict=True)
            ]
        )
        await server.start()
        first = (await get(server, "/"))[0]
        reader, writer = await asyncio.open_unix_connection(tmp_path / "s")
        writer.write(REQUEST)
        second = int((await reader.read()).split()[1])
        writer.close()
        await server.stop(1)
        return first, second

    assert run(work) == (200, 204)
    assert not (tmp_path / "s").exists()


def test_clients_that_connect_and_say_nothing_are_no_loss() -> None:
    """A TCP probe is such a client: what a listener lost makes an agent distrust its own measurements."""

    async def work() -> int:
        async with serving() as server:
            for _ in range(30):
                async with connected(server):
                    pass
            await until(lambda: server.connections == 0)
            return server.lost

    assert run(work) == 0


def test_a_start_that_fails_leaves_nothing_open() -> None:
    async def work() -> None:
        async with serving() as taken:
            address = f"127.0.0.1:{port_of(taken)}"
            listeners = [Listener(ListenOptions(address=one), hello) for one in ("127.0.0.1:0", address)]
            with pytest.raises(ConfigError, match="in use"):
                await Server(listeners).start()

    run(work)


def test_stopping_lets_answers_out_and_ends_idle_connections() -> None:
    async def work() -> tuple[bytes, bytes]:
        entered, release = asyncio.Event(), asyncio.Event()

        async def wait(request: Request) -> Reply:
            entered.set()
            await release.wait()
            return await hello(request)

        async with serving(wait) as server, connected(server) as idle, connected(server) as busy:
            busy[1].write(b"GET /late HTTP/1.1\r\nhost: x\r\n\r\n")
            await entered.wait()
            stopping = asyncio.ensure_future(server.stop(5))
            silent = await idle[0].read()
            release.set()
            answer = await busy[0].read()
            await stopping
            return silent, answer

    silent, answer = run(work)
    assert silent == b""
    assert answer.endswith(b"GET /late 0")
    assert b"connection: close" in answer


def test_stopping_does_not_wait_for_ever() -> None:
    async def work() -> bytes:
        entered = asyncio.Event()

        async def hang(request: Request) -> Reply:
            entered.set()
            await asyncio.Event().wait()
            return Reply()

        async with serving(hang) as server, connected(server) as (reader, writer):
            writer.write(REQUEST)
            await entered.wait()
            await server.stop(0.05)
            try:
                return await reader.read()
            except ConnectionResetError:
                return b""

    assert run(work) == b""
