"""Listeners: addresses of every kind, TLS with certificates that change, and an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
import ssl
from pathlib import Path

import pytest
import trustme

from kubesonar.config import ConfigError
from kubesonar.web import Listener, ListenOptions, Reply, Request, Server
from tests.web.support import ask, connected, get, hello, port_of, run, serving

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
        ("192.0.2.1:1", "cannot listen on 192.0.2.1:1: "),
        ("unix:/no/such/place", "cannot listen on unix:/no/such/place: No such file"),
        ("unix:/dev/null", "the path exists and is not a socket"),
        ("unix:/tmp/" + "x" * 200, "too long"),
    ],
)
def test_an_address_that_cannot_be_had_is_one_sentence(address: str, part: str) -> None:
    async def work() -> None:
        await Server([Listener(ListenOptions(address=address), hello)]).start()

    with pytest.raises(ConfigError) as raised:
        run(work)
    assert part in str(raised.value)


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


def certify(authority: trustme.CA, path: Path) -> None:
    certificate = authority.issue_cert("127.0.0.1")
    certificate.private_key_and_cert_chain_pem.write_to_path(str(path))


async def serial_over_tls(port: int, authority: trustme.CA) -> int:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    certificate = writer.get_extra_info("peercert")
    writer.write(REQUEST)
    assert (await reader.read()).endswith(b"GET / 0")
    writer.close()
    return int(certificate["serialNumber"], 16)


def test_a_changed_certificate_is_taken_and_a_broken_one_is_not(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    authority, path = trustme.CA(), tmp_path / "tls.pem"
    certify(authority, path)

    async def work() -> list[int]:
        server = Server([Listener(ListenOptions(address="127.0.0.1:0", certificate_file=str(path)), hello)])
        await server.start()
        serials = [await serial_over_tls(port_of(server), authority)]
        for change in (lambda: certify(authority, path), lambda: path.write_text("broken")):
            change()
            await asyncio.sleep(1.05)  # files are looked at once a second
            serials.append(await serial_over_tls(port_of(server), authority))
        await server.stop(1)
        return serials

    with caplog.at_level(logging.INFO):
        first, renewed, after_broken = run(work)
    assert first != renewed == after_broken
    assert "what was read before stays in force" in caplog.text


def test_a_client_without_tls_does_not_disturb(tmp_path: Path) -> None:
    authority, path = trustme.CA(), tmp_path / "tls.pem"
    certify(authority, path)

    async def work() -> int:
        server = Server([Listener(ListenOptions(address="127.0.0.1:0", certificate_file=str(path)), hello)])
        await server.start()
        try:
            await ask(server, REQUEST)
        except ConnectionError:
            logging.getLogger(__name__).info("cut off, as it may be")
        serial = await serial_over_tls(port_of(server), authority)
        await server.stop(1)
        return serial

    assert run(work)


@pytest.mark.parametrize("content", [None, "", "nonsense"])
def test_a_certificate_that_cannot_be_used_is_one_sentence(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "tls.pem"
    if content is not None:
        path.write_text(content)

    async def work() -> None:
        await Server([Listener(ListenOptions(address="127.0.0.1:0", certificate_file=str(path)), hello)]).start()

    with pytest.raises(ConfigError, match="cannot be used"):
        run(work)
