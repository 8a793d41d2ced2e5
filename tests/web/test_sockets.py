"""Addresses to listen on: both families, Unix sockets, and what cannot be had."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from pathlib import Path

import pytest

from kubesonar.config import ConfigError
from kubesonar.web import Listener, ListenOptions, Server
from tests.web.support import get, hello, port_of, run, serving

REQUEST = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"


@pytest.mark.parametrize("address", ["127.0.0.1:0", "[::1]:0", ":0"])
def test_both_families_are_served(address: str) -> None:
    async def work() -> bytes:
        async with serving(address=address) as server:
            host = "::1" if address == "[::1]:0" else "127.0.0.1"
            reader, writer = await asyncio.open_connection(host, port_of(server))
            writer.write(REQUEST)
            answer = await reader.read()
            writer.close()
            return answer

    assert run(work).endswith(b"GET / 0")


def test_connections_beyond_the_backlog_are_counted_as_lost() -> None:
    async def work() -> tuple[int, int]:
        async with serving() as server:
            before = server.lost
            with contextlib.ExitStack() as asking:
                for _ in range(400):
                    one = asking.enter_context(socket.socket())
                    one.setblocking(False)
                    one.connect_ex(("127.0.0.1", port_of(server)))
                return before, server.lost

    before, after = run(work)
    assert before == 0 < after


def test_each_family_can_have_a_listener_on_one_port() -> None:
    async def work() -> None:
        async with serving(address="0.0.0.0:0") as first, serving(address=f"[::]:{port_of(first)}") as second:
            assert port_of(first) == port_of(second)

    run(work)


def test_a_unix_socket_is_for_its_owner_and_a_stale_one_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))

    async def work() -> int:
        async with serving(address=f"unix:{path}") as server:
            with pytest.raises(ConfigError, match="another process listens there"):
                await Server([Listener(ListenOptions(address=f"unix:{path}"), hello)]).start()
            assert (await get(server, "/"))[0] == 200
            return os.stat(path).st_mode & 0o777  # noqa: PTH116

    assert run(work) == 0o600


@pytest.mark.parametrize(
    ("address", "part"),
    [
        ("8080", 'cannot listen on "8080", expected HOST:PORT'),
        ("localhost:80", "HOST an IP address"),
        ("::1:80", "HOST an IP address"),
        ("[127.0.0.1]:80", "HOST an IP address"),
        ("127.0.0.1:70000", "HOST an IP address"),
        ("127.0.0.1:" + "9" * 5000, "HOST an IP address"),
        ("192.0.2.1:1", "cannot listen on 192.0.2.1:1: "),
        ("unix:/no/such/place", "cannot listen on unix:/no/such/place: No such file"),
        ("unix:/dev/null", "the path exists and is not a socket"),
        ("unix:/tmp/" + "x" * 200, "too long"),
        ("fd:x", "expected fd:NUMBER"),
        ("fd:99999", "cannot listen on fd:99999: Bad file descriptor"),
        ("fd:0", "cannot listen on fd:0: "),
    ],
)
def test_an_address_that_cannot_be_had_is_one_sentence(address: str, part: str) -> None:
    async def work() -> None:
        await Server([Listener(ListenOptions(address=address), hello)]).start()

    with pytest.raises(ConfigError) as raised:
        run(work)
    assert part in str(raised.value)


def test_a_socket_that_the_process_was_started_with_is_taken_over_and_outlives_the_server() -> None:
    async def work(address: str) -> list[int]:
        statuses = []
        for _ in range(2):
            async with serving(address=address) as server:
                assert port_of(server) == inherited.getsockname()[1]
                statuses.append((await get(server, "/"))[0])
        return statuses

    with socket.create_server(("127.0.0.1", 0)) as inherited:
        assert run(lambda: work(f"fd:{inherited.fileno()}")) == [200, 200]


def test_a_socket_that_does_not_listen_is_refused() -> None:
    async def work(address: str) -> None:
        await Server([Listener(ListenOptions(address=address), hello)]).start()

    with socket.socket() as idle, pytest.raises(ConfigError, match="no TCP socket that listens"):
        run(lambda: work(f"fd:{idle.fileno()}"))
