"""Servers that misbehave, over real sockets on the loopback, and our own troubles."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import socket
import struct
import threading
import time
from collections.abc import Callable

import pytest
import uvloop

from kubesonar.core.dns.message import Question, encode_answer
from kubesonar.core.dns.records import RecordType
from kubesonar.model import Fault, Observation, StampSource
from tests.probes.dns_servers import (
    CHECK,
    NAME,
    RECORD,
    check,
    closed_port,
    good,
    look,
    none,
    probe,
    question,
    tcp_server,
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


@pytest.mark.parametrize(
    ("forge", "word"),
    [
        (
            lambda wire: encode_answer(Question("evil.example", RecordType.A, question(wire).id), 0, [RECORD]),
            "evil.example",
        ),
        (lambda wire: wire, "not a response"),
        (lambda wire: good(wire)[:-1], "malformed"),
        (lambda wire: wire[:2] + bytes(range(256)), "malformed"),
        (lambda wire: b"\0", "malformed"),
    ],
    ids=["wrong question", "echo", "cut short", "garbage", "one byte"],
)
def test_a_wrong_answer_is_one_and_says_why(forge: Callable[[bytes], bytes], word: str) -> None:
    with udp_server(lambda sock, wire, peer: none(sock.sendto(forge(wire), peer))) as port:
        (seen,) = look(check(port))
    assert (seen.fault, seen.code) == (Fault.WRONG_ANSWER, None)
    assert word in seen.detail


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


def test_nobody_there_is_refused_by_udp_and_by_tcp() -> None:
    port = closed_port()
    by_udp, by_tcp = look(check(port), check(port, f"{NAME} A tcp"))
    assert (by_udp.fault, by_tcp.fault) == (Fault.REFUSED, Fault.REFUSED)


def test_a_starved_loop_accuses_nobody_and_believes_the_kernel_s_stamp() -> None:
    """An answer that lay in the buffer in time is one, however late we look; none at all is our own trouble."""

    async def starve(port: int, timeout: float, request: str = f"{NAME} A") -> Observation:
        prober = probe()
        asking = asyncio.ensure_future(prober(check(port, request, timeout=timeout)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        time.sleep(timeout + 0.4)  # noqa: ASYNC251 - the point of it
        try:
            return await asking
        finally:
            prober.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        with udp_server(lambda sock, wire, peer: none(sock.sendto(good(wire), peer))) as port:
            answered = runner.run(starve(port, 0.3))
        with udp_server(lambda sock, wire, peer: None) as port:
            silent = runner.run(starve(port, 0.3))
        with tcp_server(lambda link, wire: none(link.recv(1))) as port:
            by_tcp = runner.run(starve(port, 0.3, f"{NAME} A tcp"))
    assert answered.fault is None
    assert answered.rtt
    assert answered.rtt.clock is StampSource.KERNEL
    for one in (silent, by_tcp):
        assert one.fault is Fault.LOCAL
        assert "event loop was" in one.detail


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


def test_no_file_descriptors_left_is_our_own_trouble() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    hog: list[socket.socket] = []

    async def squeezed() -> tuple[Observation, Observation]:
        prober = probe()
        resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
        try:
            with contextlib.suppress(OSError):
                while True:
                    hog.append(socket.socket())
            return await prober(CHECK), await prober(check(53, f"{NAME} A tcp"))
        finally:
            for held in hog:
                held.close()
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        by_udp, by_tcp = runner.run(squeezed())
    assert (by_udp.fault, by_tcp.fault) == (Fault.LOCAL, Fault.LOCAL)
