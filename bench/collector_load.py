"""What a whole collector takes by the number of agents: `python -m bench.collector_load [AGENTS …]`.

A real `kubesonar collector`, with the process that judges, gets the reports of agents with 30 edges each over real
sockets: first all that each knows, then two new trials an edge, at the rate that the collector asks for. Meanwhile
somebody asks for the verdict twenty times a second. CPU and memory are the kernel's counts. Two agents that run for a
while, one with a collector and one without, tell what reporting takes. Writes bench/results/collector_load.md.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from statistics import median

import msgspec
import uvloop

from bench._usage import cpu_of, memory_of
from bench.collector import EDGES, Telling
from kubesonar.core.encoding import encode_json
from kubesonar.core.telemetry.reports.report import REPORT_PATH, Receipt
from kubesonar.model import Check, Kind, Member, Network, Observation, Roster, Rtt, StampSource, Train
from kubesonar.model import Path as Way
from tests.apps.agents import RunningAgent, RunningCollector, members, tree, until
from tests.ports import free_port

RESULT = Path(__file__).parent / "results" / "collector_load.md"
SPAN = 20.0
"""Seconds of load."""
CONNECTIONS = 8
ASKED = 0.05
SETTLED = 15.0
"""Seconds after which the memory of two agents is compared."""


class Peer(Telling):
    """An agent of a mesh: its edges lead to the agents after it."""

    def __init__(self, number: int, roster: Roster) -> None:
        super().__init__(number)
        self.ledger.rename(roster.members[number].name)
        self.ledger.roster_changed(roster)
        self._peers = [roster.members[(number + step) % len(roster.members)] for step in range(1, EDGES + 1)]

    def observe(self) -> None:
        self.now += 1.0
        for peer in self._peers:
            check = Check(f"udp/pod/{peer.name}/v4", Kind.UDP, Way.POD, peer.name, peer.addresses[0], 7473)
            train = Train(int(self.now), seen=8, size=320)
            rtt = Rtt(0.0002, 0.0003, 0.0004, StampSource.KERNEL, 0.00001)
            self.ledger.add(Observation(check, "me", Network.POD, self.now, rtt=rtt, train=train, sent=8, received=8))

    def first(self, *, with_roster: bool) -> bytes:
        """All it knows, with the roster where it is asked for."""
        self.observe()
        self.outgoing.received(Receipt(1, 0, 2.0, whole=True, roster=with_roster))
        report = self.outgoing.report(self.ledger.head(self.now), 2.0)
        self.outgoing.received(Receipt(1, report.sequence, 2.0))
        return encode_json(report)

    def next(self) -> bytes:
        """Two new trials of each edge."""
        self.observe()
        self.observe()
        return self.report()


class Loaded(msgspec.Struct, frozen=True):
    """What it took: reports a second, CPU (us) of the collector and of the judging process for one, their memory (MiB),
    seconds of one judgement, and milliseconds of an answer: median, 99th percentile and the longest; `idle` are those
    of a collector without agents, asked at the same times."""

    agents: int
    rate: float
    cpu: float
    judge_cpu: float
    memory: float
    judge_memory: float
    judging: float
    answers: tuple[float, float, float]
    idle: tuple[float, float, float]


def roster_of(count: int) -> Roster:
    return Roster(
        "r1",
        tuple(
            Member(f"agent-{n}", f"node-{n}", (f"10.{n // 65536}.{n // 256 % 256}.{n % 256}",), 7473, zone="abc"[n % 3])
            for n in range(count)
        ),
    )


def child_of(pid: int) -> int:
    """The process that judges."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


async def post(port: int, bodies: Iterator[bytes], pace: float) -> int:
    """Posts them over many connections, at `pace` a second (0: as fast as it goes); how many were taken."""
    taken, began = 0, time.monotonic()

    async def worker() -> None:
        nonlocal taken
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for body in bodies:
            if pace:
                await asyncio.sleep(began + taken / pace - time.monotonic())
            taken += 1
            writer.write(
                b"POST %b HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % (REPORT_PATH.encode(), len(body))
            )
            writer.write(body)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            size = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
            await reader.readexactly(int(size.split(b":")[1]))
        writer.close()

    await asyncio.gather(*(worker() for _ in range(CONNECTIONS)))
    return taken


async def asking(port: int, took: list[float]) -> None:
    """Asks for the verdict until cancelled."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    while True:
        began = time.monotonic()
        writer.write(b"GET /api/v1/verdict HTTP/1.1\r\nhost: x\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        size = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
        await reader.readexactly(int(size.split(b":")[1]))
        took.append((time.monotonic() - began) * 1000)
        await asyncio.sleep(ASKED)


async def loaded(count: int, folder: Path) -> Loaded:
    """Loads a fresh collector with the reports of so many agents."""
    roster = roster_of(count)
    peers = [Peer(number, roster) for number in range(count)]
    firsts = [peer.first(with_roster=number == 0) for number, peer in enumerate(peers)]
    rate = min(count / 2.0, 500.0)
    wanted = int(rate * SPAN)
    bodies = [peers[index % count].next() for index in range(wanted)]
    del peers
    port = free_port()
    beside = folder / "idle"
    beside.mkdir()
    with (
        RunningCollector(folder, port, reports={"auth": "none"}) as collector,
        RunningCollector(beside, free_port(), reports={"auth": "none"}) as idle,
    ):
        pid = collector.process.pid
        until(lambda: child_of(pid))
        await post(port, iter(firsts[:1]), 0)
        await post(port, iter(firsts), 0)
        await asyncio.sleep(3.0)
        judge = child_of(pid)
        before, judged, began = cpu_of(pid), cpu_of(judge), time.monotonic()
        took: list[float] = []
        idly: list[float] = []
        askers = [asyncio.create_task(asking(port, took)), asyncio.create_task(asking(idle.port, idly))]
        taken = await post(port, iter(bodies), rate)
        span = time.monotonic() - began
        for asker in askers:
            asker.cancel()
        await asyncio.gather(*askers, return_exceptions=True)
        metrics = collector.get("/metrics")[1].decode().splitlines()
        judging = next(float(x.split()[1]) for x in metrics if x.startswith("kubesonar_collector_judgement_seconds "))
        return Loaded(
            count,
            taken / span,
            (cpu_of(pid) - before) / taken * 1e6,
            (cpu_of(judge) - judged) / taken * 1e6,
            memory_of(pid)[0],
            memory_of(judge)[0],
            judging,
            spread(took),
            spread(idly),
        )


def spread(took: list[float]) -> tuple[float, float, float]:
    """The median, the 99th percentile and the longest."""
    took.sort()
    return median(took), took[int(len(took) * 0.99)], took[-1]


def reporting(folder: Path) -> tuple[float, float]:
    """MiB of an agent that reports and of one that does not."""
    port, a, b = free_port(), free_port(), free_port()
    file = members(folder, {"a": a, "b": b})
    with ExitStack() as closing:
        closing.enter_context(RunningCollector(folder, port, reports={"auth": "none"}))
        trees = {
            "a": tree("a", a, file, membership={"enabled": False}, reports={"to": [f"http://127.0.0.1:{port}"]}),
            "b": tree("b", b, file, membership={"enabled": False}),
        }
        one, other = (closing.enter_context(RunningAgent(folder, name, **trees[name])) for name in "ab")
        time.sleep(SETTLED)
        return memory_of(one.process.pid)[0], memory_of(other.process.pid)[0]


_HEAD = """# A collector under load

`python -m bench.collector_load {sizes}`, CPython {python}, {cpu} cores that others used too (load {load:.0f}, and this
at a lower priority): trust ratios, not seconds. A real collector, reports of {edges} edges with two new trials each
over {connections} connections for {span:.0f} s, at one report of each agent in 2 s, at most 500 a second. CPU is that
for one report: of the judging process with all its judgements in that time. An answer is that to `/api/v1/verdict`,
asked 20 times a second meanwhile: median, 99th percentile and the longest; idle is that of a collector without agents,
asked at the same times, which is what the machine's other work makes of it. The seconds of a judgement are those of
the clock, of a process that shared two cores with many others; its CPU is in [CPU of a verdict](diagnosis_speed.md).

| agents | reports/s | collector (us, MiB) | judging process (us, MiB) | a judgement (s) | answer (ms) | idle (ms) |
|---|---|---|---|---|---|---|
"""

_TAIL = """
The row of 50 agents is what a coordinator that judges takes beside its agent
(docs/membership.md): the same two processes, which it starts.

An agent that reports has {more:.1f} MiB more than one that does not ({one:.1f} against {other:.1f} MiB, {settled:.0f} s
after the start, both on loopback with a peer each).

Reports touch no store: incidents do, whose puts are in [stores](stores.md). The check of a token is a row of
[what a report costs](collector.md).

Not measured: `connectivity_check` under load, more than 1,000 agents, ten minutes at 5,000 nodes with two agents each,
and the CPU of an agent that reports beside one that does not, which is below what this machine's other work hides.
"""


async def main(sizes: list[int]) -> None:
    load = os.getloadavg()[0]
    rows = []
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            row = await loaded(size, Path(folder))
        answers, idle = (", ".join(f"{ms:.1f}" for ms in three) for three in (row.answers, row.idle))
        rows.append(
            f"| {row.agents:,} | {row.rate:.0f} | {row.cpu:.0f}, {row.memory:.0f} | "
            f"{row.judge_cpu:.0f}, {row.judge_memory:.0f} | {row.judging:.2f} | {answers} | {idle} |"
        )
        print(json.dumps(msgspec.to_builtins(row)), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        one, other = reporting(Path(folder))
    head = _HEAD.format(
        sizes=" ".join(map(str, sizes)),
        python=platform.python_version(),
        cpu=os.cpu_count(),
        load=load,
        edges=EDGES,
        connections=CONNECTIONS,
        span=SPAN,
    )
    tail = _TAIL.format(more=one - other, one=one, other=other, settled=SETTLED)
    RESULT.write_text(head + "\n".join(rows) + "\n" + tail)


if __name__ == "__main__":
    uvloop.run(main([int(word) for word in sys.argv[1:]] or [50, 100, 1000]))
