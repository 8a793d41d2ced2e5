"""Passes DNS questions on to other servers: what a DNS cache of a node does, and a cluster's DNS with names outside."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from kubesonar.core.dns.message import Malformed, Rcode, decode_reply, encode_answer, question_of
from kubesonar.lab.servers.nameserver import Zone

FORWARD_TIMEOUT = 0.3
"""Seconds that each server has to answer. More than the half of what the lab's agents wait, and a question whose first
server is dead is told as the forwarder's failure."""


class Forwarder:
    """Answers from `zone`, if it has one, and asks `servers` (address and port) one after the other for all else;
    SERVFAIL where none answers."""

    def __init__(self, servers: Sequence[tuple[str, int]], zone: Zone | None = None) -> None:
        self._servers = servers
        self._zone = zone

    async def answer(self, wire: bytes, limit: int) -> bytes | None:
        """Return the answer to `wire` in at most `limit` bytes, None for what is no question."""
        message = decode_reply(wire)
        question = None if isinstance(message, Malformed) else question_of(message)
        if question is None:
            return None
        if self._zone is not None and self._zone.has(question.name):
            return self._zone.answer(wire, limit)
        for server in self._servers:
            answer = await _asked(server, wire)
            if answer is not None:
                return answer
        return encode_answer(question, Rcode.SERVFAIL, [], limit=limit)


async def _asked(server: tuple[str, int], wire: bytes) -> bytes | None:
    """Return what a server answers by UDP, None where it does not in time."""
    loop = asyncio.get_running_loop()
    reply: asyncio.Future[bytes] = loop.create_future()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Reply(reply), remote_addr=server)
    try:
        transport.sendto(wire)
        async with asyncio.timeout(FORWARD_TIMEOUT):
            return await reply
    except (TimeoutError, OSError):
        return None
    finally:
        transport.close()


class _Reply(asyncio.DatagramProtocol):
    def __init__(self, reply: asyncio.Future[bytes]) -> None:
        self._reply = reply

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if not self._reply.done():
            self._reply.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self._reply.done():
            self._reply.set_exception(exc)
