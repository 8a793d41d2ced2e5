"""Asks servers from here, over sockets of this machine (standpoints 1 and 2, and inside the helper pod)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from types import TracebackType
from typing import Protocol, Self

import msgspec

from kubesonar.core.dns.message import Question, encode_question
from kubesonar.core.dns.records import RecordType
from kubesonar.core.dns_check.questions import PAIRS, SERVER_LIMIT, AskedServer, AskPlan, AskPurpose, DnsAsk, asks_for
from kubesonar.core.dns_check.results import DnsOutcome, DnsResult
from kubesonar.doctor.answers import JudgedReply, judge_pair, judge_reply, put
from kubesonar.net.clock import Clock
from kubesonar.net.dns.pair import ask_pair
from kubesonar.net.dns.tcp import ask_tcp
from kubesonar.net.dns.transport import DnsReply, DnsServer
from kubesonar.net.dns.udp import Unanswered, ask_udp

_AT_ONCE = 64
"""Questions that are on their way at one time. Fewer make a look at many dead servers take longer; more are a burst
that loses packets by itself."""

_TRIES = 2
"""Times that a question is asked which gets no answer: a single lost packet is no sick server."""


class Asker(Protocol):
    """Asks what a plan holds from one standpoint; `close` it. Raises AskFailed where nothing could be asked. `untested`
    says what it cannot ask."""

    @property
    def untested(self) -> tuple[str, ...]: ...

    async def ask(self, plan: AskPlan) -> list[DnsResult]: ...

    async def close(self) -> None: ...


class AskFailed(Exception):
    """One sentence that says why nothing could be asked from a standpoint."""


class DirectAsker:
    """An `Asker` over sockets of this machine."""

    untested = ()

    def __init__(self, clock: Clock, rng: random.Random) -> None:
        self._clock = clock
        self._rng = rng
        self._unanswered = Unanswered()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.close()

    async def ask(self, plan: AskPlan) -> list[DnsResult]:
        """Ask every server what `asks_for` says, the servers side by side, and return the results in the order of the
        plan. A failure is a result."""
        asked = _repeated(plan)
        results: list[DnsResult | None] = [None] * len(asked)
        rest = iter(enumerate(asked))

        async def work() -> None:
            for place, (server, ask) in rest:
                results[place] = await self._result(server, ask, plan.timeout)

        await asyncio.gather(*(work() for _ in asked[:_AT_ONCE]))
        return [result for result in results if result is not None]

    async def close(self) -> None:
        """Close the sockets that wait for late answers."""
        self._unanswered.close()

    async def _result(self, server: AskedServer, ask: DnsAsk, timeout: float) -> DnsResult:
        if ask.purpose is AskPurpose.PAIR:
            return await self._pair(server, ask, timeout)
        tries, lost = 0, True
        while lost and tries < _TRIES:
            tries += 1
            question = put(ask, self._rng)
            reply = await self._reply(server, question, ask.tcp, timeout)
            judged = judge_reply(ask, question, reply)
            lost = judged.outcome is DnsOutcome.NO_ANSWER
        reached = reply.wire is not None or reply.connected > 0 or judged.outcome is DnsOutcome.CLOSED
        return msgspec.structs.replace(_of(server, ask, judged, reply.took, tries), reached=reached)

    async def _reply(self, server: AskedServer, question: Question, tcp: bool, timeout: float) -> DnsReply:
        wire = encode_question(question)
        if tcp:
            return await ask_tcp(DnsServer(server.address, server.tcp), wire, timeout, self._clock)
        at = DnsServer(server.address, server.udp)
        return await ask_udp(at, wire, timeout, self._clock, self._unanswered)

    async def _pair(self, server: AskedServer, ask: DnsAsk, timeout: float) -> DnsResult:
        first = put(ask, self._rng)
        other = RecordType.AAAA if first.type == RecordType.A else RecordType.A
        second = msgspec.structs.replace(first, type=other, id=first.id ^ 1)
        wires = encode_question(first), encode_question(second)
        reply = await ask_pair(DnsServer(server.address, server.udp), wires, timeout, self._clock)
        return _of(server, ask, judge_pair((first, second), reply.wires, reply.fault, reply.detail), reply.took, 1)


def _repeated(plan: AskPlan) -> Sequence[tuple[AskedServer, DnsAsk]]:
    return [
        (server, ask)
        for server in plan.servers[:SERVER_LIMIT]
        for ask in asks_for(server, plan.asks)
        for _ in range(PAIRS if ask.purpose is AskPurpose.PAIR else 1)
    ]


def _of(server: AskedServer, ask: DnsAsk, judged: JudgedReply, took: float, tries: int) -> DnsResult:
    return DnsResult(server, ask, judged.outcome, took, tries, judged.said, judged.detail)
