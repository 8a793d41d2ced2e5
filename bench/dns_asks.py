"""CPU of a DNS question from the doctor's ask to its verdict, beside dnspython's asynchronous query, in one run.

`python -m bench.dns_asks` writes bench/results/dns_asks.md. Both ask the same unbound, a process of its own on the
loopback, by UDP with EDNS0; only the CPU of this process counts. dnspython checks that the answer belongs to the
question and its rcode, the doctor besides what is in it, and which part of DNS is sick.
"""

from __future__ import annotations

import asyncio
import platform
import random
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median

import dns.asyncquery
import dns.message
import dns.rcode
import dns.version
import uvloop

from kubesonar.core.dns_check.questions import AskedServer, AskPlan, AskPurpose, DnsAsk, ServerRole
from kubesonar.core.dns_check.results import DnsLook, DnsOutcome
from kubesonar.core.dns_check.verdict import judge_look
from kubesonar.doctor.direct import DirectAsker
from kubesonar.model import Health
from kubesonar.net.clock import SystemClock
from tests.probes.dns_servers import NAME, running_unbound

ROUNDS, LOOKS = 9, 15
SERVERS, ASKS = 3, 10
"""Servers and questions to each in one look: a Service and two pods; dnspython asks as many questions at a time."""

QUESTIONS = LOOKS * SERVERS * ASKS

TARGET = 0.3
RESULT = Path(__file__).with_name("results") / "dns_asks.md"


async def ours(port: int) -> None:
    ask = DnsAsk(AskPurpose.CLUSTER, NAME, mixed=True, want=("10.96.0.1",))
    servers = (AskedServer(f"unbound-{n}", ServerRole.POD, "127.0.0.1", port, port) for n in range(SERVERS))
    plan = AskPlan(tuple(servers), (ask,) * ASKS, 2.0)
    async with DirectAsker(SystemClock(), random.SystemRandom()) as asker:
        for _ in range(LOOKS):
            results = await asker.ask(plan)
            verdict = judge_look(DnsLook(at=0.0, vantage=1, why="", results=tuple(results)))
            if verdict.health is not Health.GOOD or {one.outcome for one in results} != {DnsOutcome.GOOD}:
                raise SystemExit(f"the verdict was wrong: {verdict.sentence}")


async def theirs(port: int) -> None:
    async def one() -> None:
        query = dns.message.make_query(NAME, "A", use_edns=0, payload=1232)
        reply = await dns.asyncquery.udp(query, "127.0.0.1", timeout=2.0, port=port)
        if reply.rcode() != dns.rcode.NOERROR or not reply.answer:
            raise SystemExit("the answer was wrong")

    for _ in range(LOOKS):
        await asyncio.gather(*(one() for _ in range(SERVERS * ASKS)))


async def cost(work: Callable[[int], Awaitable[None]], port: int) -> float:
    """Microseconds of CPU a question."""
    began = time.process_time()
    await work(port)
    return (time.process_time() - began) / QUESTIONS * 1e6


async def measured(port: int) -> tuple[float, float, float]:
    pairs = [(await cost(ours, port), await cost(theirs, port)) for _ in range(ROUNDS + 1)][1:]  # the first warms up
    return (*(median(column) for column in zip(*pairs, strict=True)), median(a / b for a, b in pairs))


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        running_unbound(Path(folder)) as port,
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        us, them, ratio = runner.run(measured(port))
    text = "\n".join(
        [
            "# A DNS question, from the doctor's ask to its verdict",
            "",
            f"CPU of the asking process in microseconds, median of {ROUNDS} interleaved rounds of {LOOKS} looks of"
            f" {SERVERS} x {ASKS} questions to an unbound of its own; `python -m bench.dns_asks`. Python"
            f" {platform.python_version()}, dnspython {dns.version.version}, uvloop, {platform.machine()}. Target: at"
            f" most {TARGET} of dnspython's.",
            "",
            "| ours, ask to verdict | dnspython's asynchronous query | ratio |",
            "|---:|---:|---:|",
            f"| {us:.0f} | {them:.0f} | {ratio:.2f} |",
            "",
        ]
    )
    RESULT.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
