"""DNS servers of a test cluster, by UDP and TCP at one address of the loopback, each as sick as it is told to be."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, cast

import msgspec

from kubesonar.core.dns.message import (
    PLAIN_PAYLOAD,
    Malformed,
    Question,
    Rcode,
    decode_reply,
    encode_answer,
    question_of,
)
from kubesonar.core.dns.records import Record, RecordType

DOMAIN = "cluster.local"
API = "10.96.0.1"
VIP = "127.0.0.10"
NAME = f"kubernetes.default.svc.{DOMAIN}"
SERVICE = f"kube-dns.kube-system.svc.{DOMAIN}"
HEADLESS = f"db.kube-system.svc.{DOMAIN}"

Answer = Callable[[Question], bytes | None]
"""What is said to a question; None: nothing."""


def reverse(address: str) -> str:
    return ".".join(reversed(address.split("."))) + ".in-addr.arpa"


ZONE: dict[tuple[str, int], list[Record]] = {
    (NAME, RecordType.A): [Record(NAME, RecordType.A, 5, API)],
    (SERVICE, RecordType.A): [Record(SERVICE, RecordType.A, 5, VIP)],
    (reverse(VIP), RecordType.PTR): [Record(reverse(VIP), RecordType.PTR, 5, SERVICE)],
    (HEADLESS, RecordType.A): [Record(HEADLESS, RecordType.A, 5, f"10.1.0.{n}") for n in range(40)],
}


def well(question: Question) -> bytes:
    """As CoreDNS answers: names of the cluster, NXDOMAIN for others in it, an address for names outside."""
    name = question.name.lower()
    if not name.endswith((DOMAIN, "arpa")):
        return encode_answer(question, Rcode.NOERROR, [Record(question.name, question.type, 5, "192.0.2.1")])
    records = ZONE.get((name, question.type), [])
    known = any(name == owner for owner, _ in ZONE)
    return encode_answer(question, Rcode.NOERROR if known else Rcode.NXDOMAIN, records)


def says(rcode: Rcode) -> Answer:
    return lambda question: encode_answer(question, rcode)


def silent(question: Question) -> None:
    del question


def wrong(question: Question) -> bytes:
    """Every name is at one address."""
    return encode_answer(question, Rcode.NOERROR, [Record(question.name, question.type, 5, "10.66.6.6")])


def lame_upstream(question: Question) -> bytes:
    inside = question.name.lower().endswith((DOMAIN, "arpa"))
    return well(question) if inside else encode_answer(question, Rcode.SERVFAIL)


def lower_case(question: Question) -> bytes:
    return well(msgspec.structs.replace(question, name=question.name.lower()))


def without_edns(question: Question) -> bytes | None:
    """As a firewall that drops what it does not know."""
    return None if question.payload else well(question)


class DnsServerDouble:
    """One server; set `udp` and `tcp` to make it sick. `delay` are seconds before each answer, `elsewhere` makes UDP
    answers come from another address, `half_of_pairs` drops every second AAAA."""

    def __init__(self, address: str, port: int) -> None:
        self.address, self.port = address, port
        self.udp: Answer = well
        self.tcp: Answer = well
        self.delay = 0.0
        self.elsewhere = ""
        self.drop_aaaa = False
        self.asked: list[tuple[str, Question]] = []

    async def serve(self) -> Callable[[], None]:
        """Listens; returns what ends it."""
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: _Datagrams(self), local_addr=(self.address, self.port)
        )
        open_streams: set[asyncio.Transport] = set()
        server = await loop.create_server(lambda: _Stream(self, open_streams), self.address, self.port)

        def end() -> None:
            transport.close()
            server.close()
            for stream in open_streams:
                stream.abort()

        return end

    def answer(self, by: str, wire: bytes) -> bytes | None:
        message = decode_reply(wire)
        question = None if isinstance(message, Malformed) else question_of(message)
        if question is None:
            return None
        self.asked.append((by, question))
        if by == "udp" and self.drop_aaaa and question.type == RecordType.AAAA:
            return None
        said = (self.udp if by == "udp" else self.tcp)(question)
        if said and by == "udp" and len(said) > max(PLAIN_PAYLOAD, question.payload):
            return encode_answer(question, Rcode.NOERROR, [], limit=0)
        return said


class _Stream(asyncio.Protocol):
    def __init__(self, server: DnsServerDouble, streams: set[asyncio.Transport]) -> None:
        self._server, self._streams, self._got = server, streams, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._streams.add(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._streams.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        self._got += data
        while len(self._got) >= 2 and len(self._got) >= 2 + (length := int.from_bytes(self._got[:2], "big")):
            wire, self._got = self._got[2 : 2 + length], self._got[2 + length :]
            asyncio.get_running_loop().call_later(self._server.delay, self._say, wire)

    def _say(self, wire: bytes) -> None:
        said = self._server.answer("tcp", wire)
        if said and not self._transport.is_closing():
            self._transport.write(len(said).to_bytes(2, "big") + said)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServerDouble) -> None:
        self._server = server
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        asyncio.get_running_loop().call_later(self._server.delay, self._say, data, addr)

    def _say(self, data: bytes, addr: tuple[str, int]) -> None:
        said = self._server.answer("udp", data)
        if not said or self._transport is None or self._transport.is_closing():
            return
        if not self._server.elsewhere:
            self._transport.sendto(said, addr)
            return
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind((self._server.elsewhere, 0))
            other.sendto(said, addr)


@contextlib.contextmanager
def serving(servers: Iterable[DnsServerDouble]) -> Iterator[None]:
    """Serves in a thread of its own."""
    started = threading.Event()
    ending: list[Callable[[], object]] = []

    async def run() -> None:
        ended, loop = asyncio.Event(), asyncio.get_running_loop()
        ends = [await server.serve() for server in servers]
        ending.append(lambda: loop.call_soon_threadsafe(ended.set))
        started.set()
        await ended.wait()
        for end in ends:
            end()
        await asyncio.sleep(0)  # what was aborted is told so before the loop is closed

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    assert started.wait(10)
    try:
        yield
    finally:
        ending[0]()
        thread.join()
