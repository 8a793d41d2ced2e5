"""Calls to peers: what is asked, from which address, and which answers count."""

from __future__ import annotations

import asyncio

import pytest

from kubesonar.compat.knh.client import AT_ONCE, PeerClient, escaped
from kubesonar.compat.knh.election.events import Call
from kubesonar.compat.knh.election.identity import Peer
from tests.net.servers import asked, serving
from tests.ports import free_port

OWN = "127.0.0.2"
"""Where the caller is, as peers see it."""


class Caller:
    """Calls a peer that gives `answer`; `lines` and `sources` are what that one saw."""

    def __init__(self, answer: bytes = b"HTTP/1.1 200 OK\r\n\r\n") -> None:
        self.answer = answer
        self.lines: list[str] = []
        self.sources: list[str] = []
        self.most = self.now = 0

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        self.lines.append((await asked(reader)).decode().partition("\r\n")[0])
        self.sources.append(writer.get_extra_info("peername")[0])
        await asyncio.sleep(0.01)
        self.now -= 1
        writer.write(self.answer)

    def call(self, announces: bool = False, dead: tuple[str, ...] = (), times: int = 1) -> list[bool]:
        async def scenario() -> list[bool]:
            async with serving(self._serve) as port:
                client = PeerClient("node 1@127002", OWN, port)
                peer = Peer("node-2@127001", "127.0.0.1", f"127.0.0.1:{port}")
                return await asyncio.gather(*(client.answers(Call(n, peer, announces, dead)) for n in range(times)))

        return asyncio.run(scenario())


@pytest.mark.parametrize("status", ["200 OK", "404 Not Found", "500 Internal Server Error"])
def test_any_status_is_an_answer(status: str) -> None:
    caller = Caller(f"HTTP/1.1 {status}\r\n\r\n".encode())
    assert caller.call() == [True]
    assert (caller.lines, caller.sources) == (["GET /ping HTTP/1.1"], [OWN])


@pytest.mark.parametrize("answer", [b"", b"nonsense\r\n\r\n"])
def test_what_is_no_answer_is_none(answer: bytes) -> None:
    assert Caller(answer).call() == [False]


def test_who_refuses_does_not_answer() -> None:
    port = free_port()
    peer = Peer("node-2@127001", "127.0.0.1", f"127.0.0.1:{port}")
    assert asyncio.run(PeerClient("a", OWN, port).answers(Call(1, peer, False))) is False


@pytest.mark.parametrize(
    ("dead", "target"),
    [
        ((), "/coordinator?id=node%201@127002"),
        (("a@1", "b,c@2"), "/coordinator?id=node%201@127002&dead=a@1,b%2Cc@2"),
    ],
)
def test_an_announcement_names_the_coordinator_and_whom_it_told_dead(dead: tuple[str, ...], target: str) -> None:
    caller = Caller()
    assert caller.call(True, dead) == [True]
    assert caller.lines == [f"GET {target} HTTP/1.1"]


def test_calls_under_way_are_bounded() -> None:
    caller = Caller()
    assert caller.call(times=3 * AT_ONCE) == [True] * (3 * AT_ONCE)
    assert caller.most <= AT_ONCE


def test_what_a_query_does_not_take_is_escaped() -> None:
    assert escaped("a-b_c.d~e@f:g") == "a-b_c.d~e@f:g"
    assert escaped("a b&c=d,é\udc80") == "a%20b%26c%3Dd%2C%C3%A9%ED%B2%80"
