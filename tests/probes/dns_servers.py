"""DNS servers for tests: unbound, and scripted ones that misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import uvloop

from kubesonar.core.dns.message import Malformed, Question, Rcode, decode_reply, encode_answer, question_of
from kubesonar.core.dns.records import Record, RecordType
from kubesonar.model import Check, Kind, Network, Observation
from kubesonar.model import Path as Way
from kubesonar.net.clock import SystemClock
from kubesonar.probes.dns import DnsOptions, DnsProbe
from kubesonar.probes.source import ProbeSource
from tests.ports import free_port
from tests.unbound import unbound

NAME = "kubernetes.default.svc.cluster.local"
RECORD = Record(NAME, RecordType.A, 5, "10.96.0.1")
CHECK = Check("dns", Kind.DNS, Way.DNS_POD, "dns-1", "127.0.0.1", timeout=2.0, request=f"{NAME} A")

Script = Callable[[socket.socket, bytes, tuple[str, int]], None]
"""What a scripted server does with a question: its socket, the question, who asked."""


def check(port: int, request: str = f"{NAME} A", expect: str = "", timeout: float = 2.0) -> Check:
    return msgspec.structs.replace(CHECK, port=port, request=request, expect=expect, timeout=timeout)


def probe(options: DnsOptions | None = None) -> DnsProbe:
    source = ProbeSource("node-1", Network.POD)
    return DnsProbe(source, options or DnsOptions(), SystemClock(), random.Random(7))


def look(*checks: Check, options: DnsOptions | None = None) -> list[Observation]:
    """Runs the checks one after the other with one probe."""

    async def all_of_them() -> list[Observation]:
        prober = probe(options)
        try:
            return [await prober(one) for one in checks]
        finally:
            prober.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(all_of_them())


def question(wire: bytes) -> Question:
    message = decode_reply(wire)
    assert not isinstance(message, Malformed)
    asked = question_of(message)
    assert asked
    return asked


def good(wire: bytes) -> bytes:
    return encode_answer(question(wire), Rcode.NOERROR, [RECORD])


@contextlib.contextmanager
def udp_server(script: Script, address: str = "127.0.0.1") -> Iterator[int]:
    """A server in a thread, so that it answers while the prober's loop is kept busy."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.bind((address, 0))
        thread = threading.Thread(target=serve_udp, args=(sock, script))
        thread.start()
        try:
            yield sock.getsockname()[1]
        finally:
            with socket.socket(family, socket.SOCK_DGRAM) as stopper:
                stopper.sendto(b"", sock.getsockname())
            thread.join()


def serve_udp(sock: socket.socket, script: Script) -> None:
    while True:
        wire, peer = sock.recvfrom(65535)
        if not wire:
            return
        script(sock, wire, peer)


@contextlib.contextmanager
def tcp_server(script: Callable[[socket.socket, bytes], None]) -> Iterator[int]:
    """Takes one connection, reads one question and does as scripted."""

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(5)
            length = int.from_bytes(connection.recv(2), "big")
            if length:
                script(connection, connection.recv(length))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            with socket.create_connection(listener.getsockname()):
                pass  # wakes it where nobody came
            thread.join()


@contextlib.contextmanager
def running_unbound(folder: Path) -> Iterator[int]:
    """A real unbound with a small zone, on a free port; skips where it is not installed."""
    port = free_port()
    big = [f'big.cluster.local. TXT "{number} {"x" * 200}"' for number in range(20)]
    addresses = [f"{NAME}. 5 A 10.96.0.1", f"{NAME}. 5 AAAA fd00::1"]
    with unbound(folder, port, [*addresses, *big]):
        yield port


def none(_: object) -> None:
    return None
