"""Both halves of a look-up from one socket, against servers that lose one of them."""

from __future__ import annotations

import asyncio
import random

import pytest
import uvloop

from kubesonar.core.dns.message import Question, encode_question
from kubesonar.core.dns.records import RecordType
from kubesonar.model import Fault
from kubesonar.net.clock import SystemClock
from kubesonar.net.dns.pair import PairReply, ask_pair
from kubesonar.net.dns.transport import DnsServer
from tests.doctor.dns_server import NAME, DnsServerDouble, serving, silent
from tests.ports import free_port

WIRES = (
    encode_question(Question(NAME, RecordType.A, 7)),
    encode_question(Question(NAME, RecordType.AAAA, 8)),
)


def ask(port: int, timeout: float = 0.3, address: str = "127.0.0.1") -> PairReply:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(ask_pair(DnsServer(address, port), WIRES, timeout, SystemClock()))


def test_both_are_answered() -> None:
    server = DnsServerDouble("127.0.0.1", free_port())
    with serving([server]):
        reply = ask(server.port, 5.0)
    assert [wire[:2] if wire else None for wire in reply.wires] == [b"\0\7", b"\0\10"]
    assert reply.fault is None
    assert reply.took > 0
    assert [question.type for _, question in server.asked] == [RecordType.A, RecordType.AAAA]


def test_one_is_lost() -> None:
    server = DnsServerDouble("127.0.0.1", free_port())
    server.drop_aaaa = True
    with serving([server]):
        reply = ask(server.port)
    assert (reply.wires[0] is not None, reply.wires[1], reply.fault) == (True, None, None)


def test_neither_is_answered() -> None:
    server = DnsServerDouble("127.0.0.1", free_port())
    server.udp = silent
    with serving([server]):
        reply = ask(server.port)
    assert (reply.wires, reply.fault) == ((None, None), Fault.TIMEOUT)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_nothing_listens(address: str) -> None:
    assert ask(free_port(address), address=address).fault is Fault.REFUSED


def test_strays_are_passed_over() -> None:
    rng = random.Random(3)
    server = DnsServerDouble("127.0.0.1", free_port())
    server.udp = lambda question: rng.randbytes(40) if question.id == 8 else silent(question)
    with serving([server]):
        reply = ask(server.port)
    assert reply.wires == (None, None)
