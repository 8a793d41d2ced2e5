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
import re
import resource
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import uvloop

from bench._usage import cpu_of, memory_of
from bench.collector import EDGES, Telling
from kubesonar.core.encoding import encode_json
from kubesonar.core.telemetry.reports.report import REPORT_PATH, Receipt
from kubesonar.model import Check, Kind, Member, Network, Observation, Roster, Rtt, StampSource, Train
from kubesonar.model import Path as Way
from tests.apps.agents import RunningAgent, RunningCollector, enter_all, members, tree, until
from tests.ports import free_port

RESULT = Path(__file__).parent / "results" / "collector_load.md"
SPAN = 20.0
"""Seconds of load, at least; two rounds of reports where those take longer."""
RATE = 500.0
"""Reports a second that a collector asks for."""
BURST = 5
"""Reports that are on their way at once."""
ASKED = 0.05
PAIRS = 3
SETTLED, WATCHED = 15.0, 90.0
"""Seconds after which agents are compared, and for which their CPU is."""
GROWING, MINUTES = 10_000, 10
"""Agents, as 5,000 nodes with two each have, and minutes for which a collector of theirs is watched."""
FILES = 32_768
"""Files that a process may have open: each agent has a connection."""


_PLACE = re.compile(rb'(agent|node)-(\d+)|"10\.0\.(\d+)\.(\d+)"|"zone":"."')
"""What differs between reports of two agents of such a mesh: names, addresses, and the zone of who reports."""


class Peer(Telling):
    """Agent 0 of a mesh, which tries each of its edges so many times between two reports: they lead to the agents after
    it. All others report the same of the agents after them."""

    def __init__(self, roster: Roster, interval: float, trials: int) -> None:
        super().__init__(0)
        self.ledger.rename(roster.members[0].name)
        self.ledger.roster_changed(roster)
        self._count = len(roster.members)
        self._peers = roster.members[1 : EDGES + 1]
        self._trials = trials
        self._apart = interval / trials

    def observe(self) -> None:
        self.now += self._apart
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
        """The new trials of each edge."""
        for _ in range(self._trials):
            self.observe()
        return self.report()

    def of_another(self, body: bytes, number: int) -> bytes:
        """A report of agent 0 as the agent of that number would send it."""

        def shifted(found: re.Match[bytes]) -> bytes:
            kind, name, high, low = found.groups()
            if not kind and not high:
                return b'"zone":"%c"' % zone_of(number).encode()
            at = (int(name) if kind else 256 * int(high) + int(low)) + number
            at -= self._count if at >= self._count else 0
            return b"%b-%d" % (kind, at) if kind else b'"%b"' % address_of(at).encode()

        return _PLACE.sub(shifted, body)


class Loaded(msgspec.Struct, frozen=True):
    """What it took: reports a second of so many trials an edge, CPU (us) of the collector and of the judging process
    for one, cores of both, their memory (MiB) and that of both without agents, seconds of one judgement, and
    milliseconds of an answer: median, 99th percentile and the longest; `idle` are those of a collector without agents,
    asked at the same times."""

    agents: int
    rate: float
    trials: int
    cpu: float
    judge_cpu: float
    cores: float
    memory: float
    judge_memory: float
    empty: float
    judging: float
    answers: tuple[float, float, float]
    idle: tuple[float, float, float]


class Minute(msgspec.Struct, frozen=True):
    """What a collector took in one minute: reports a second, cores of both processes, MiB of the collector and of the
    judging process at its end, seconds of the last judgement, and milliseconds of an answer: median, 99th percentile
    and the longest."""

    minute: int
    rate: float
    cores: float
    memory: float
    judge_memory: float
    judging: float
    answers: tuple[float, float, float]


def address_of(number: int) -> str:
    return f"10.0.{number // 256}.{number % 256}"


def zone_of(number: int) -> str:
    return "abc"[number % 3]


def roster_of(count: int) -> Roster:
    return Roster(
        "r1",
        tuple(
            Member(f"agent-{n}", f"node-{n}", (address_of(n),), 7473, zone=zone_of(n), epoch=1) for n in range(count)
        ),
    )


def child_of(pid: int) -> int:
    """The process that judges."""
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


class Agents:
    """The connections of so many agents to a collector."""

    def __init__(self, port: int) -> None:
        self.taken = 0
        self._port = port
        self._streams: dict[int, tuple[asyncio.StreamReader, asyncio.StreamWriter]] = {}

    async def post(self, number: int, body: bytes) -> None:
        """Posts a report of that agent over its own connection, or a new one where that was closed."""
        if number not in self._streams or self._streams[number][0].at_eof():
            self._streams[number] = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams[number]
        writer.write(b"POST %b HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % (REPORT_PATH.encode(), len(body)))
        writer.write(body)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        size = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
        await reader.readexactly(int(size.split(b":")[1]))
        self.taken += 1

    async def begin(self, peer: Peer, count: int) -> None:
        """Posts the first report of each, a few at a time; only the first brings the roster."""
        await self.post(0, peer.first(with_roster=True))
        body = peer.first(with_roster=False)
        for first in range(0, count, BURST):
            several = range(first, min(count, first + BURST))
            await asyncio.gather(*(self.post(number, peer.of_another(body, number)) for number in several))

    async def keep_on(self, peer: Peer, count: int, interval: float, span: float) -> float:
        """Posts one report of each agent in `interval` for that many seconds, in turn; the seconds that it took."""
        began, sent = time.monotonic(), 0
        while sent / count * interval < span:
            body = peer.next()
            for first in range(0, count, BURST):
                several = range(first, min(count, first + BURST))
                await asyncio.sleep(began + sent / count * interval - time.monotonic())
                await asyncio.gather(*(self.post(number, peer.of_another(body, number)) for number in several))
                sent += len(several)
                if sent / count * interval >= span:
                    break
        return time.monotonic() - began

    def close(self) -> None:
        for _, writer in self._streams.values():
            writer.close()


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


def pace_of(count: int) -> tuple[float, int]:
    """Seconds between two reports of one agent, and the trials of each edge in between: two at least, and one in 5 s,
    as an agent makes that is told nothing else."""
    interval = max(2.0, count / RATE)
    return interval, max(2, round(interval / 5.0))


async def loaded(count: int, folder: Path) -> Loaded:
    """Loads a fresh collector with the reports of so many agents."""
    interval, trials = pace_of(count)
    peer = Peer(roster_of(count), interval, trials)
    port = free_port()
    beside = folder / "idle"
    beside.mkdir()
    with (
        RunningCollector(folder, port, reports={"auth": "none"}) as collector,
        RunningCollector(beside, free_port(), reports={"auth": "none"}) as idle,
    ):
        pid = collector.process.pid
        until(lambda: child_of(pid))
        agents = Agents(port)
        await agents.begin(peer, count)
        await asyncio.sleep(3.0)
        judge = child_of(pid)
        before, judged, began = cpu_of(pid), cpu_of(judge), agents.taken
        took: list[float] = []
        idly: list[float] = []
        askers = [asyncio.create_task(asking(port, took)), asyncio.create_task(asking(idle.port, idly))]
        span = await agents.keep_on(peer, count, interval, max(SPAN, 2 * interval))
        for asker in askers:
            asker.cancel()
        await asyncio.gather(*askers, return_exceptions=True)
        taken = agents.taken - began
        found = Loaded(
            count,
            taken / span,
            trials,
            (cpu_of(pid) - before) / taken * 1e6,
            (cpu_of(judge) - judged) / taken * 1e6,
            (cpu_of(pid) - before + cpu_of(judge) - judged) / span,
            memory_of(pid)[0],
            memory_of(judge)[0],
            memory_of(idle.process.pid)[0] + memory_of(child_of(idle.process.pid))[0],
            await judgement_of(collector),
            spread(took),
            spread(idly),
        )
        agents.close()
        return found


async def judgement_of(collector: RunningCollector) -> float:
    """Seconds of its last judgement."""
    metrics = (await asyncio.to_thread(collector.get, "/metrics"))[1].decode().splitlines()
    return next(float(x.split()[1]) for x in metrics if x.startswith("kubesonar_collector_judgement_seconds "))


async def grown(count: int, minutes: int, folder: Path) -> list[Minute]:
    """What a collector takes after each minute, while somebody asks for its verdict."""
    interval, trials = pace_of(count)
    peer = Peer(roster_of(count), interval, trials)
    rows = []
    with RunningCollector(folder, free_port(), reports={"auth": "none"}) as collector:
        pid = collector.process.pid
        until(lambda: child_of(pid))
        agents = Agents(collector.port)
        await agents.begin(peer, count)
        took: list[float] = []
        asker = asyncio.create_task(asking(collector.port, took))
        end = time.monotonic()
        for minute in range(1, minutes + 1):
            judge, began, taken = child_of(pid), end, agents.taken
            before = cpu_of(pid) + cpu_of(judge)
            while (end := time.monotonic()) < began + 60.0:
                await agents.keep_on(peer, count, interval, interval)
            row = Minute(
                minute,
                (agents.taken - taken) / (end - began),
                (cpu_of(pid) + cpu_of(judge) - before) / (end - began),
                memory_of(pid)[0],
                memory_of(judge)[0],
                await judgement_of(collector),
                spread(took),
            )
            took.clear()
            print(json.dumps(msgspec.to_builtins(row)), flush=True)
            rows.append(row)
        asker.cancel()
        await asyncio.gather(asker, return_exceptions=True)
        agents.close()
    return rows


def spread(took: list[float]) -> tuple[float, float, float]:
    """The median, the 99th percentile and the longest."""
    took.sort()
    return median(took), took[int(len(took) * 0.99)], took[-1]


def reporting(folder: Path) -> tuple[list[float], list[float]]:
    """MiB, and thousandths of a core, of an agent that reports and of one that does not, at the rates of an agent that
    is told nothing else; measured at the same time, so that the machine's other work slows both."""
    port, *ports = free_port(), *(free_port() for _ in range(2 * PAIRS))
    names = [f"{kind}{number}" for kind in ("told", "quiet") for number in range(PAIRS)]
    file = members(folder, dict(zip(names, ports, strict=True)))
    with ExitStack() as closing:
        closing.enter_context(RunningCollector(folder, port, reports={"auth": "none"}))
        plain: dict[str, Any] = {"membership": {"enabled": False}, "plan": {"families": [4]}}
        to = {"reports": {"to": [f"http://127.0.0.1:{port}"]}}
        agents = [
            RunningAgent(folder, name, **tree(name, port, file, **plain, **(to if name.startswith("told") else {})))
            for name, port in zip(names, ports, strict=True)
        ]
        enter_all(closing, agents)
        time.sleep(SETTLED)
        before = [cpu_of(agent.process.pid) for agent in agents]
        time.sleep(WATCHED)
        cores = [1000 * (cpu_of(agent.process.pid) - was) / WATCHED for agent, was in zip(agents, before, strict=True)]
        sizes = [memory_of(agent.process.pid)[0] for agent in agents]
    told, quiet = slice(None, PAIRS), slice(PAIRS, None)
    return [median(sizes[told]), median(sizes[quiet])], [median(cores[told]), median(cores[quiet])]


_HEAD = """# A collector under load

`python -m bench.collector_load {sizes}`, CPython {python}, {cpu} cores, load {load:.0f} before. A real collector
without a token check; each agent is one of a node of its own, has a connection of its own and sends reports of {edges}
edges, one in 2 s, and fewer where that would be more than {rate:.0f} a second: then with the trials of as long, one in
5 s of each edge, as an agent makes that is told nothing else. {span:.0f} s, or two rounds of reports, and longer where
the machine was too slow for that rate. CPU is that for one report: of the judging process with all its judgements in
that time; cores are those of both at the rate that was reached. An answer is that to `/api/v1/verdict`, asked 20 times
a second meanwhile: median, 99th percentile and the longest; idle is that of a collector without agents, asked at the
same times, which is what the machine's other work makes of it. The seconds of a judgement are those of the clock; its
CPU is in [CPU of a verdict](diagnosis_speed.md).

| agents | reports/s, trials | collector (us, MiB) | judging (us, MiB) | cores | KiB an agent | judgement (s) \
| answer (ms) | idle (ms) |
|---|---|---|---|---|---|---|---|---|
"""

_TAIL = """
The row of 50 agents is what a coordinator that judges takes beside its agent
(docs/membership.md): the same two processes, which it starts.

## Over time

{count:,} agents, as many as 5,000 nodes with two each have, minute by minute. Trials are kept for their windows,
minutes for a quarter of an hour, plots for a day (5.6 KiB a node at most).

| minute | reports/s | cores | collector (MiB) | judging process (MiB) | a judgement (s) | answer (ms) |
|---|---|---|---|---|---|---|
{grown}

## An agent that reports

It has {more:.1f} MiB more than one that does not ({one:.1f} against {other:.1f} MiB), and takes {busier:.2f}
thousandths of a core more ({busy:.2f} against {calm:.2f}): the medians of {pairs} each at the same time, {settled:.0f}
s after the start and for {watched:.0f} s, with default rates in a mesh of {mesh} on loopback.

Reports touch no store: incidents do, whose puts are in [stores](stores.md). The check of a token is a row of
[what a report costs](collector.md), `connectivity_check` of 1,000 agents one of [netchecker](netchecker.md).

Not measured: a machine of whose cores one is the collector's alone; here the load generator has the other.
"""


async def main(sizes: list[int]) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(FILES, resource.getrlimit(resource.RLIMIT_NOFILE)[1]),) * 2)
    load = os.getloadavg()[0]
    rows: list[Loaded] = []
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(await loaded(size, Path(folder)))
        print(json.dumps(msgspec.to_builtins(rows[-1])), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        grew = await grown(GROWING, MINUTES, Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        (one, other), (busy, calm) = await asyncio.to_thread(reporting, Path(folder))
    head = _HEAD.format(
        sizes=" ".join(map(str, sizes)),
        python=platform.python_version(),
        cpu=os.cpu_count(),
        load=load,
        edges=EDGES,
        rate=RATE,
        span=SPAN,
    )
    tail = _TAIL.format(
        count=GROWING,
        grown="\n".join(map(line_of_minute, grew)),
        more=one - other,
        one=one,
        other=other,
        busier=busy - calm,
        busy=busy,
        calm=calm,
        pairs=PAIRS,
        settled=SETTLED,
        watched=WATCHED,
        mesh=2 * PAIRS,
    )
    RESULT.write_text(head + "".join(map(line_of, rows)) + tail)


def line_of(row: Loaded) -> str:
    """One row of the table."""
    answers, idle = (", ".join(f"{ms:.1f}" for ms in three) for three in (row.answers, row.idle))
    each = (row.memory + row.judge_memory - row.empty) * 1024 / row.agents
    return (
        f"| {row.agents:,} | {row.rate:.0f}, {row.trials} | {row.cpu:.0f}, {row.memory:.0f} | "
        f"{row.judge_cpu:.0f}, {row.judge_memory:.0f} | {row.cores:.2f} | {each:.0f} | {row.judging:.2f} | "
        f"{answers} | {idle} |\n"
    )


def line_of_minute(row: Minute) -> str:
    """One row of the table over time."""
    answers = ", ".join(f"{ms:.1f}" for ms in row.answers)
    return (
        f"| {row.minute} | {row.rate:.0f} | {row.cores:.2f} | {row.memory:.0f} | {row.judge_memory:.0f} | "
        f"{row.judging:.1f} | {answers} |"
    )


if __name__ == "__main__":
    uvloop.run(main([int(word) for word in sys.argv[1:]] or [50, 100, 1000, 5000, 10_000]))
