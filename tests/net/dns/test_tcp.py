"""Servers of DNS by TCP that misbehave, over real sockets on the loopback."""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable

import pytest

from kubesonar.model import Fault
from tests.probes.dns_servers import (
    NAME,
    check,
    good,
    look,
    none,
    tcp_server,
)


@pytest.mark.parametrize(
    ("script", "fault", "word"),
    [
        (lambda link, wire: none(link.sendall(b"\0\x20" + b"\xff" * 32)), Fault.WRONG_ANSWER, "wrong id"),
        (lambda link, wire: none(link.sendall(b"\0\0")), Fault.WRONG_ANSWER, "malformed"),
        (lambda link, wire: none(link.sendall(b"\xff\xff" + wire)), Fault.RESET, "closed after"),
        (lambda link, wire: None, Fault.RESET, "closed after 0 bytes"),
        (lambda link, wire: none(link.recv(1)), Fault.TIMEOUT, "no answer within 0.3 s"),
        (
            lambda link, wire: link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)),
            Fault.RESET,
            "reset",
        ),
    ],
    ids=["wrong id", "empty", "cut short", "closed", "never", "reset"],
)
def test_bad_servers_by_tcp(script: Callable[[socket.socket, bytes], None], fault: Fault, word: str) -> None:
    with tcp_server(script) as port:
        (seen,) = look(check(port, f"{NAME} A tcp", timeout=0.3 if fault is Fault.TIMEOUT else 5.0))
    assert seen.fault is fault
    assert word in seen.detail.lower()


def test_an_answer_byte_by_byte_is_one() -> None:
    def dribble(link: socket.socket, wire: bytes) -> None:
        answer = good(wire)
        for byte in len(answer).to_bytes(2, "big") + answer:
            link.sendall(bytes((byte,)))

    with tcp_server(dribble) as port:
        (seen,) = look(check(port, f"{NAME} A tcp"))
    assert seen.fault is None
