"""A DNS server of the lab: one zone, over UDP and TCP, with the codec of the probes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable, Sequence
from typing import Protocol, cast

from kubesonar.core.dns.message import (
    LARGE_PAYLOAD,
    PLAIN_PAYLOAD,
    Malformed,
    Question,
    Rcode,
    decode_reply,
    encode_answer,
    question_of,
)
from kubesonar.core.dns.records import Record, RecordType

TTL = 5
"""Time to live of records, in seconds: the one that CoreDNS gives cluster names."""

_IDLE = 10.0
"""Seconds without a question after which a TCP connection is closed."""
_CONNECTIONS = 256
"""Most TCP connections, and most UDP questions that wait for an answer; further ones are dropped."""
_HUNG_UP = (OSError, asyncio.IncompleteReadError, TimeoutError, asyncio.CancelledError)
"""Exceptions that end a connection: the client left or is idle, or the server stops."""


def cluster_records(domain: str = "cluster.local", v6: str = "") -> tuple[Record, ...]:
    """Return the records that every cluster has: those of the API server's Service."""
    name = f"kubernetes.default.svc.{domain}"
    first = Record(name, RecordType.A, TTL, "10.96.0.1")
    return (first, Record(name, RecordType.AAAA, TTL, v6)) if v6 else (first,)


LARGE_NAME = "large.default.svc"
"""Name in the cluster's domain that has a large answer, as a headless Service of many pods has."""

_LARGE_ADDRESSES = 60
"""Addresses of that name: fewer, and the answer fits into one packet; more, and it is truncated."""


def large_records(domain: str = "cluster.local") -> tuple[Record, ...]:
    """Return records whose answer comes in two or more packets."""
    name = f"{LARGE_NAME}.{domain}"
    return tuple(Record(name, RecordType.A, TTL, f"10.244.9.{number}") for number in range(1, _LARGE_ADDRESSES + 1))


class Zone:
    """Records of `domain`; questions about other names are refused."""

    def __init__(self, domain: str, records: Iterable[Record]) -> None:
        self._domain = domain.lower()
        self._records: dict[str, list[Record]] = {}
        for record in records:
            self._records.setdefault(record.name.lower(), []).append(record)

    def has(self, name: str) -> bool:
        """Whether a name is in the zone."""
        lower = name.lower()
        return lower == self._domain or lower.endswith(f".{self._domain}")

    def answer(self, wire: bytes, limit: int) -> bytes | None:
        """Return the answer to `wire` in at most `limit` bytes; None for what is no question, so that two servers never
        answer each other."""
        message = decode_reply(wire)
        question = None if isinstance(message, Malformed) else question_of(message)
        if question is None:
            return None
        return encode_answer(question, *self._found(question), limit=limit)

    def _found(self, question: Question) -> tuple[Rcode, list[Record]]:
        name = question.name.lower()
        if not self.has(name):
            return Rcode.REFUSED, []
        records = self._records.get(name)
        if records is None:
            return (Rcode.NOERROR if name == self._domain else Rcode.NXDOMAIN), []
        return Rcode.NOERROR, [record for record in records if record.type == question.type]


class Answering(Protocol):
    """Answers a question (`wire`) in at most `limit` bytes; None: not at all."""

    async def answer(self, wire: bytes, limit: int) -> bytes | None: ...


def udp_limit(wire: bytes) -> int:
    """Return in how many bytes the client accepts an answer over UDP."""
    message = decode_reply(wire)
    offered = 0 if isinstance(message, Malformed) else message.payload
    return max(PLAIN_PAYLOAD, min(offered, LARGE_PAYLOAD))


async def dns_server(addresses: Sequence[str], port: int, source: Zone | Answering, stop: asyncio.Event) -> None:
    """Serve what `source` answers at these addresses over UDP and TCP until `stop` is set. Raises OSError where it
    cannot listen."""
    zone = _Immediate(source) if isinstance(source, Zone) else source
    loop = asyncio.get_running_loop()
    async with contextlib.AsyncExitStack() as stack:
        service = _TcpService(zone)
        stack.push_async_callback(service.close)
        for address in addresses:
            server = await asyncio.start_server(service.serve, address, port)
            stack.callback(server.close)
            transport, _ = await loop.create_datagram_endpoint(lambda: _Udp(zone), (address, port))
            stack.callback(transport.close)
        await stop.wait()


class _Immediate:
    """A zone, which needs no time to answer."""

    def __init__(self, zone: Zone) -> None:
        self._zone = zone

    async def answer(self, wire: bytes, limit: int) -> bytes | None:
        return self._zone.answer(wire, limit)


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, zone: Answering) -> None:
        self._zone = zone
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)  # uvloop's does not inherit from it

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if len(self._tasks) < _CONNECTIONS:
            task = asyncio.ensure_future(self._answer(data, addr))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer(self, data: bytes, addr: tuple[str, int]) -> None:
        answer = await self._zone.answer(data, udp_limit(data))
        if answer is not None and not self._transport.is_closing():
            self._transport.sendto(answer, addr)


class _TcpService:
    """The TCP connections of all addresses."""

    def __init__(self, zone: Answering) -> None:
        self._zone = zone
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the questions of one connection (RFC 7766)."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            if len(self._tasks) <= _CONNECTIONS:
                with contextlib.suppress(*_HUNG_UP):
                    await self._converse(reader, writer)
        finally:
            self._tasks.discard(task)
            writer.close()

    async def close(self) -> None:
        """Close every connection."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            async with asyncio.timeout(_IDLE):
                length = int.from_bytes(await reader.readexactly(2), "big")
                wire = await reader.readexactly(length)
                answer = await self._zone.answer(wire, 0xFFFF)
                if answer is None:
                    return
                writer.write(len(answer).to_bytes(2, "big") + answer)
                await writer.drain()
