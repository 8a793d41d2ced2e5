"""Asks DNS pods by TCP through port-forward (standpoint 4): the API server connects to each pod's own localhost.

So neither UDP nor the pod network nor the Service is tested, and a server that listens on its pod's address only does
not answer this way.
"""

from __future__ import annotations

import asyncio
import random
from functools import partial

from kubesonar.core.dns.message import encode_question
from kubesonar.core.dns_check.questions import AskedServer, AskPlan, DnsAsk, asks_for
from kubesonar.core.dns_check.results import DnsResult
from kubesonar.doctor.answers import judge_reply, put
from kubesonar.doctor.direct import AskFailed
from kubesonar.doctor.rights import DnsPlace, forward_rules
from kubesonar.kube.client import ApiError, Client
from kubesonar.kube.streaming.port_forward import PodConnection, open_pod_port
from kubesonar.model import Fault
from kubesonar.net.clock import Clock
from kubesonar.net.dns.transport import WIRE_LIMIT, DnsReply
from kubesonar.runtime.side_by_side import side_by_side

_AT_ONCE = 8
"""Connections through the API server at one time; more burden it, fewer make a look slow."""

_PREFIX = 2
_FAULTS = {Fault.REFUSED.value: Fault.UNREACHABLE, Fault.TIMEOUT.value: Fault.TIMEOUT, Fault.RESET.value: Fault.RESET}
"""The fault of the server that a failed connection shows. That nothing listens on localhost does not mean that nothing
listens."""


class ForwardAsker:
    """An `Asker` through port-forward to pods of one namespace, whose names the servers' names are."""

    untested = (
        "port-forward speaks TCP to each pod's own localhost: UDP, the pod network and the Service were not tested",
    )

    def __init__(self, client: Client, namespace: str, clock: Clock, rng: random.Random) -> None:
        self._client = client
        self._namespace = namespace
        self._clock = clock
        self._rng = rng

    async def ask(self, plan: AskPlan) -> list[DnsResult]:
        """Ask every pod by TCP, with a connection for each question. Raises AskFailed where the right is missing."""
        asked = [(server, ask) for server in plan.servers for ask in asks_for(server, plan.asks)]
        return await side_by_side([partial(self._result, *pair, plan.timeout) for pair in asked], _AT_ONCE)

    async def close(self) -> None:
        """Do nothing: every connection is closed after its question."""

    async def _result(self, server: AskedServer, ask: DnsAsk, timeout: float) -> DnsResult:
        question = put(ask, self._rng)
        try:
            reply = await self._reply(server, encode_question(question), timeout)
        except ApiError as error:
            if error.status == 403:
                rule = forward_rules(DnsPlace(dns=self._namespace))[0]
                raise AskFailed(f"no right to port-forward; {rule.line} would grant it") from None
            reply = DnsReply(0.0, 0.0, fault=_FAULTS.get(error.reason, Fault.OTHER), detail=str(error))
        judged = judge_reply(ask, question, reply)
        return DnsResult(server, ask, judged.outcome, reply.took, 1, judged.said, judged.detail)

    async def _reply(self, server: AskedServer, wire: bytes, timeout: float) -> DnsReply:
        at = self._clock.wall()
        async with open_pod_port(self._client.credentials, self._namespace, server.name, server.tcp) as connection:
            began = self._clock.mono()
            try:
                async with asyncio.timeout(timeout):
                    await connection.send(len(wire).to_bytes(_PREFIX, "big") + wire)
                    answer = await _message(connection)
            except TimeoutError:
                return DnsReply(at, timeout, fault=Fault.TIMEOUT, detail=f"no answer within {timeout:g} s")
            took = self._clock.mono() - began
        if not answer:
            return DnsReply(at, took, fault=Fault.RESET, detail="closed without an answer")
        return DnsReply(at, took, answer)


async def _message(connection: PodConnection) -> bytes:
    """Return the message behind its two-byte length, empty where the connection ends before it."""
    got = bytearray()
    while len(got) < _PREFIX or len(got) < _PREFIX + int.from_bytes(got[:_PREFIX], "big"):
        data = await connection.receive()
        if not data or len(got) > _PREFIX + WIRE_LIMIT:
            return b""
        got += data
    return bytes(got[_PREFIX : _PREFIX + int.from_bytes(got[:_PREFIX], "big")])
