"""Servers of DNS by UDP that misbehave, over real sockets on the loopback."""

from __future__ import annotations

import asyncio
import socket
import threading

import uvloop

from kubesonar.model import Fault, Observation
from tests.probes.dns_servers import (
    check,
    good,
    look,
    none,
    probe,
    udp_server,
)


def test_strays_are_counted_and_the_answer_is_waited_for() -> None:
    def spoof(sock: socket.socket, wire: bytes, peer: tuple[str, int]) -> None:
        right = good(wire)
        sock.sendto(bytes((right[0] ^ 0xFF,)) + right[1:], peer)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as elsewhere:
            elsewhere.sendto(right, peer)
        sock.sendto(right, peer)

    with udp_server(spoof) as port:
        (seen,) = look(check(port))
    assert (seen.fault, seen.detail) == (None, "2 with a wrong id or from elsewhere passed over")


def test_only_strays_are_a_timeout() -> None:
    with udp_server(lambda sock, wire, peer: none(sock.sendto(b"\xff\xff" + wire[2:], peer))) as port:
        (seen,) = look(check(port, timeout=0.2))
    assert seen.fault is Fault.TIMEOUT
    assert "1 with a wrong id" in seen.detail
    assert seen.received == 0


def test_a_flood_of_strays_ends_the_question() -> None:
    def flood(sock: socket.socket, wire: bytes, peer: tuple[str, int]) -> None:
        for _ in range(20_000):
            sock.sendto(b"\xff" * 4, peer)

    with udp_server(flood) as port:
        (seen,) = look(check(port, timeout=5.0))
    assert (seen.fault, seen.received) == (Fault.WRONG_ANSWER, 0)
    assert "flooded" in seen.detail


def test_silence_is_a_timeout_and_a_late_answer_is_told_with_the_next_question() -> None:
    given_up, late_sent = threading.Event(), threading.Event()

    def late_once(sock: socket.socket, wire: bytes, peer: tuple[str, int]) -> None:
        if not late_sent.is_set():
            given_up.wait(10)
            sock.sendto(good(wire), peer)
            late_sent.set()
            return
        sock.sendto(good(wire), peer)

    async def three_times(port: int) -> list[Observation]:
        prober = probe()
        seen = [await prober(check(port, timeout=0.1))]
        given_up.set()
        late_sent.wait(10)
        seen += [await prober(check(port)), await prober(check(port))]
        prober.close()
        return seen

    with udp_server(late_once) as port, asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        silent, second, third = runner.run(three_times(port))
    assert (silent.fault, silent.detail) == (Fault.TIMEOUT, "no answer within 0.1 s")
    assert (second.fault, second.detail) == (None, "1 late to earlier questions")
    assert (third.fault, third.detail) == (None, "")
