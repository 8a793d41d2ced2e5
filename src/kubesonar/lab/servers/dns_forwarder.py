"""Passes DNS questions on to other servers: what a DNS cache of a node does, and a cluster's DNS with names outside."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from functools import partial

from kubesonar.core.dns.message import Malformed, Rcode, decode_reply, encode_answer, question_of
from kubesonar.lab.servers.hedging import hedged
from kubesonar.lab.servers.nameserver import Zone

_PATIENCE = 0.3
"""Seconds without an answer after which the next server is asked as well. Less, and busy servers are asked for nothing;
more, and behind a dead one no other answers within what the lab's agents wait."""


class Forwarder:
    """Answers from `zone`, if it has one, and asks `servers` (address and port) for all else: the next one as well
    where one is slow. SERVFAIL where none answers within `timeout` seconds."""

    def __init__(self, servers: Sequence[tuple[str, int]], timeout: float, zone: Zone | None = None) -> None:
        self._servers = servers
        self._timeout = timeout
        self._zone = zone

    async def answer(self, wire: bytes, limit: int) -> bytes | None:
        """Return the answer to `wire` in at most `limit` bytes, None for what is no question."""
        message = decode_reply(wire)
        question = None if isinstance(message, Malformed) else question_of(message)
        if question is None:
            return None
        if self._zone is not None and self._zone.has(question.name):
            return self._zone.answer(wire, limit)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._timeout):
                answer = await hedged([partial(_asked, server, wire) for server in self._servers], _PATIENCE)
                if answer is not None:
                    return answer
        return encode_answer(question, Rcode.SERVFAIL, [], limit=limit)


async def _asked(server: tuple[str, int], wire: bytes) -> bytes | None:
    """Return what a server answers by UDP, None where it refuses."""
    loop = asyncio.get_running_loop()
    reply: asyncio.Future[bytes] = loop.create_future()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Reply(reply), remote_addr=server)
    try:
        transport.sendto(wire)
        return await reply
    except OSError:
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
