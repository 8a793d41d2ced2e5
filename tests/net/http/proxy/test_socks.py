"""Connections through a SOCKS proxy: byte by byte against a script, and by a real proxy."""

from __future__ import annotations

import asyncio

import pytest

from kubesonar.model import Fault
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.http.proxy.environment import proxy_at
from kubesonar.net.http.proxy.route import origin_of, request_of, tunnel_of
from kubesonar.net.http.proxy.socks import SocksTunnel
from kubesonar.net.http.url import parse_url
from tests.net.rig import run
from tests.net.servers import Script, serving
from tests.net.socks_proxy import microsocks
from tests.ports import free_port

FINE = b"\5\0"
BOUND = b"\5\0\0\1\0\0\0\0\0\0"
LOGIN = (b"user", b"p@ss")
NAME = b"\5\1\0\3\tk.example\x19\x2b"
SERVER = SocksTunnel("k.example", 6443)


def _script(heard: list[bytes], *turns: tuple[int, bytes]) -> Script:
    """Reads so many bytes and answers, turn by turn, and leaves."""

    async def script(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for length, answer in turns:
            heard.append(await reader.readexactly(length))
            writer.write(answer)
            await writer.drain()

    return script


async def _read_all(tunnel: SocksTunnel, port: int) -> bytes:
    """Connects through a proxy on this port, and returns what the far side says until its end."""
    stream = tunnel(10.0)
    said = b""
    try:
        with Deadline(30) as deadline:
            await stream.connect("127.0.0.1", port, deadline)
            while more := await stream.read(65_536, deadline):
                said += more
    finally:
        stream.close()
    return said


def _played(tunnel: SocksTunnel, *turns: tuple[int, bytes]) -> tuple[list[bytes], bytes]:
    heard: list[bytes] = []

    async def scenario() -> bytes:
        async with serving(_script(heard, *turns)) as port:
            return await _read_all(tunnel, port)

    return heard, run(scenario())


@pytest.mark.parametrize(
    "bound",
    [BOUND, b"\5\0\0\4" + bytes(18), b"\5\0\0\3\tlocalhost\0\0", b"\5\0\0\3\0\0\0"],
    ids=["4", "6", "name", "empty"],
)
def test_what_follows_the_reply_is_the_servers(bound: bytes) -> None:
    heard, said = _played(SERVER, (3, FINE), (len(NAME), bound + b"hello"))
    assert (heard, said) == ([b"\5\1\0", NAME], b"hello")


def test_a_user_logs_in_where_the_proxy_wants_it() -> None:
    tunnel = SocksTunnel("k.example", 6443, LOGIN)
    heard, said = _played(tunnel, (4, b"\5\2"), (11, b"\1\0"), (len(NAME), BOUND + b"hello"))
    assert (heard, said) == ([b"\5\2\0\2", b"\1\4user\4p@ss", NAME], b"hello")
    heard, said = _played(tunnel, (4, FINE), (len(NAME), BOUND + b"hello"))
    assert (heard, said) == ([b"\5\2\0\2", NAME], b"hello")


@pytest.mark.parametrize(
    ("host", "told"),
    [
        ("192.0.2.7", b"\1\xc0\0\2\7"),
        ("2001:db8::7", b"\4\x20\1\x0d\xb8" + bytes(11) + b"\7"),
        ("k.example.", b"\3\nk.example."),
    ],
)
def test_the_proxy_is_told_addresses_and_names(host: str, told: bytes) -> None:
    request = b"\5\1\0" + told + b"\0\x35"
    assert _played(SocksTunnel(host, 53), (3, FINE), (len(request), BOUND)) == ([b"\5\1\0", request], b"")


@pytest.mark.parametrize(
    ("turns", "fault", "sentence"),
    [
        ([(3, b"\5\xff")], Fault.WRONG_ANSWER, "it wants a user's name and password"),
        ([(3, b"\5\2")], Fault.WRONG_ANSWER, "it chooses method 2, which was not offered"),
        ([(3, b"\5\1")], Fault.WRONG_ANSWER, "it chooses method 1, which was not offered"),
        ([(3, b"\4\0")], Fault.WRONG_ANSWER, "it speaks version 4, expected 5"),
        ([(3, b"HTTP/1.1 400 Bad Request\r\n\r\n")], Fault.WRONG_ANSWER, "it speaks version 72, expected 5"),
        ([(3, b"")], Fault.RESET, "it ended the connection"),
        ([(3, b"\5")], Fault.RESET, "it ended the connection"),
        ([(3, FINE), (len(NAME), b"\5\1\0\1")], Fault.WRONG_ANSWER, "k.example port 6443: general failure"),
        ([(3, FINE), (len(NAME), b"\5\2\0\1")], Fault.WRONG_ANSWER, "k.example port 6443: its rules do not allow it"),
        ([(3, FINE), (len(NAME), b"\5\3\0\1")], Fault.UNREACHABLE, "network unreachable"),
        ([(3, FINE), (len(NAME), b"\5\4\0\1")], Fault.UNREACHABLE, "host unreachable"),
        ([(3, FINE), (len(NAME), b"\5\5\0\1")], Fault.REFUSED, "connection refused"),
        ([(3, FINE), (len(NAME), b"\5\6\0\1")], Fault.UNREACHABLE, "TTL expired"),
        ([(3, FINE), (len(NAME), b"\5\x63\0\1")], Fault.WRONG_ANSWER, "k.example port 6443: code 99"),
        ([(3, FINE), (len(NAME), b"\4\0\0\1")], Fault.WRONG_ANSWER, "it speaks version 4, expected 5"),
        ([(3, FINE), (len(NAME), b"\5\0\0\2")], Fault.WRONG_ANSWER, "an address of kind 2, expected 1, 3 or 4"),
        ([(3, FINE), (len(NAME), b"\5\0\0\1\0")], Fault.RESET, "it ended the connection"),
        ([(3, FINE), (len(NAME), b"\5\0\0\3\x09local")], Fault.RESET, "it ended the connection"),
    ],
)
def test_a_proxy_that_refuses_is_a_failed_connect(turns: list[tuple[int, bytes]], fault: Fault, sentence: str) -> None:
    with pytest.raises(Failed) as failed:
        _played(SERVER, *turns)
    assert failed.value.fault is fault
    assert failed.value.detail.startswith("the SOCKS proxy: ")
    assert sentence in failed.value.detail


@pytest.mark.parametrize(
    ("login", "turns", "sentence"),
    [
        (LOGIN, [(4, b"\5\2"), (11, b"\1\1")], "it refuses the user's name or password"),
        (LOGIN, [(4, b"\5\xff")], "it wants another proof than a name and password"),
        ((b"u" * 256, b""), [(4, b"\5\2")], "a name or password of 256 bytes, at most 255 can be told"),
    ],
)
def test_a_login_that_is_refused(login: tuple[bytes, ...], turns: list[tuple[int, bytes]], sentence: str) -> None:
    with pytest.raises(Failed, match=f"the SOCKS proxy: {sentence}"):
        _played(SocksTunnel("k.example", 6443, login), *turns)


def test_a_plain_request_goes_to_the_server_as_without_a_proxy() -> None:
    proxy, url = proxy_at("socks5://user:p%40ss@p.example"), parse_url("http://a.example/x")
    assert tunnel_of(url, proxy) == SocksTunnel("a.example", 80, LOGIN)
    assert origin_of(url, None, proxy).wire == tunnel_of(url, proxy)
    assert request_of("GET", url, (), proxy) == request_of("GET", url, (), None)


async def _hello(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"hello")


@pytest.mark.parametrize("login", [(), LOGIN], ids=["open", "login"])
def test_a_real_proxy_leads_to_addresses_and_to_names_that_it_looks_up(login: tuple[bytes, ...]) -> None:
    port = free_port("127.0.0.1", "::1")

    async def scenario(at: int) -> None:
        async with serving(_hello, "127.0.0.1", port=port), serving(_hello, "::1", port=port):
            for host in ("127.0.0.1", "::1", "localhost"):
                assert await _read_all(SocksTunnel(host, port, login), at) == b"hello"

    with microsocks(*(word.decode() for word in login)) as address:
        run(scenario(int(address.rpartition(":")[2])))


@pytest.mark.parametrize(
    ("login", "wanted", "fault", "sentence"),
    [
        ((), (), Fault.REFUSED, "connection refused"),
        ((), ("user", "p@ss"), Fault.WRONG_ANSWER, "it wants a user's name and password"),
        ((b"user", b"other"), ("user", "p@ss"), Fault.WRONG_ANSWER, "it refuses the user's name or password"),
    ],
)
def test_a_real_proxy_refuses(login: tuple[bytes, ...], wanted: tuple[str, ...], fault: Fault, sentence: str) -> None:
    closed = free_port()
    with microsocks(*wanted) as address, pytest.raises(Failed, match=sentence) as failed:
        run(_read_all(SocksTunnel("127.0.0.1", closed, login), int(address.rpartition(":")[2])))
    assert failed.value.fault is fault
