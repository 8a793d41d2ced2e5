"""UDP trains of 8 to a responder in another process: CPU per probe, and how far a busy event loop shifts the figures.

`python bench/udp.py` writes bench/results/udp.md. CPU is user and system time of the probing process (getrusage), from
the check to the finished observation. The busy loop spins 5 ms of every 10; kernel stamps and user-space timers ask
the same responder, in turns, quiet and busy, so that the machine's moods meet all of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
import random
import resource
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median

import uvloop

from kubesonar.core.wire import codec
from kubesonar.core.wire.codec import Keyring, Sender
from kubesonar.model import Check, Kind, Network, StampSource
from kubesonar.model import Path as Way
from kubesonar.net.udp.responder import UdpResponder
from kubesonar.net.udp.token_bucket import RateLimits
from kubesonar.net.udp.train_sender import TrainSender
from kubesonar.probes.source import ProbeSource
from kubesonar.probes.udp import UdpOptions, UdpProbe
from tests.net.rig import who

RESULT = Path(__file__).with_name("results") / "udp.md"
RING = Keyring({1: bytes(range(32))}, 1)
TRAIN = 8
ROUNDS = 7
SLICE = 0.005
BLOCKS, BLOCK = 16, 40
PACE = 0.02


async def respond() -> None:
    """The far end: prints its port, then answers until its standard input closes."""
    unlimited = RateLimits(rate=1e9, burst=1e9, total_rate=1e9, total_burst=1e9)
    responder = UdpResponder(
        ["127.0.0.1"], 0, me=lambda: who("b"), ring=lambda: RING, publish=lambda record: None, limits=unlimited
    )
    print(responder.port, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    responder.close()


class Plain(asyncio.DatagramProtocol):
    """The same question by user-space timers: stamped before `sendto` and when the loop hands the answer over."""

    def __init__(self, port: int) -> None:
        self.peer = ("127.0.0.1", port)
        self.sender = Sender(who("plain"), 1)
        self.sent: dict[int, int] = {}
        self.rtts: list[float] = []
        self.number = 0

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        now = time.monotonic_ns()
        answer = codec.decode(data, RING)
        if isinstance(answer, codec.Datagram):
            self.rtts.append((now - self.sent[answer.counter] - answer.hold) / 1e9)
            if len(self.rtts) == TRAIN:
                self.done.set_result(None)

    async def train(self) -> list[float]:
        """One train's round trips."""
        self.rtts, self.done = [], asyncio.get_running_loop().create_future()
        self.number += 1
        frames = [self.sender.probe(RING, self.number, sequence, TRAIN, 64) for sequence in range(TRAIN)]
        first = self.sender.counter - TRAIN + 1
        for offset, frame in enumerate(frames):
            self.sent[first + offset] = time.monotonic_ns()
            self.transport.sendto(frame, self.peer)
        await asyncio.wait_for(self.done, 5)
        return self.rtts


def cpu() -> float:
    """Seconds of CPU that this process has used."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def cost(probe: UdpProbe, check: Check, trains: int, together: int, pause: float) -> float:
    """Microseconds of CPU a datagram: `together` trains at once, then a pause. With a pause, what the pauses alone cost
    stays in: an agent pays it too."""
    began = cpu()
    for _ in range(trains // together):
        for observation in await asyncio.gather(*(probe(check) for _ in range(together))):
            if observation.received != TRAIN or not observation.rtt or observation.rtt.clock is not StampSource.KERNEL:
                raise SystemExit(f"the measurement is void: {observation}")
        if pause:
            await asyncio.sleep(pause)
    return (cpu() - began) / trains / TRAIN * 1e6


async def spin() -> None:
    """Keeps the loop busy half of the time."""
    while True:
        until = time.perf_counter() + SLICE
        while time.perf_counter() < until:
            pass
        await asyncio.sleep(SLICE)


async def block(ask: Callable[[], Awaitable[list[float]]], busy: bool, into: list[float]) -> None:
    """One stretch of trains at random moments."""
    spinner = asyncio.ensure_future(spin()) if busy else None
    for _ in range(BLOCK):
        into += await ask()
        await asyncio.sleep(random.uniform(0, 2 * SLICE))
    if spinner:
        spinner.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await spinner


def quantile(values: list[float], share: float) -> float:
    """In microseconds."""
    return sorted(values)[int(share * (len(values) - 1))] * 1e6


async def measure(port: int) -> str:
    """All of it, as markdown."""
    loop = asyncio.get_running_loop()
    engine = TrainSender(Sender(who("a"), 1), lambda: RING)
    probe = UdpProbe(ProbeSource("a", Network.POD), engine, UdpOptions(), 1)
    check = Check("udp/pod/b/v4", Kind.UDP, Way.POD, "b", "127.0.0.1", port, timeout=5.0)
    _, plain = await loop.create_datagram_endpoint(lambda: Plain(port), local_addr=("127.0.0.1", 0))

    async def kernel() -> list[float]:
        result = await engine.train("127.0.0.1", port, number=1, count=TRAIN, size=64, timeout=5.0, flags=1)
        return list(result.rtts)

    ways = {"one train after the other": (1000, 1, 0.0), "10 trains in one tick": (1000, 10, 0.0)}
    ways["one train each 20 ms"] = (100, 1, PACE)
    costs: dict[str, list[float]] = {name: [] for name in ways}
    await cost(probe, check, 200, 1, 0.0)
    for _ in range(ROUNDS):
        for name, (trains, together, pause) in ways.items():
            costs[name].append(await cost(probe, check, trains, together, pause))
    askers = {"kernel stamps": kernel, "user-space timers": plain.train}
    rtts: dict[tuple[str, bool], list[float]] = {(name, busy): [] for name in askers for busy in (False, True)}
    for _ in range(BLOCKS):
        for (name, busy), into in rtts.items():
            await block(askers[name], busy, into)
    plain.transport.close()
    engine.close()
    return report(costs, rtts)


def report(costs: dict[str, list[float]], rtts: dict[tuple[str, bool], list[float]]) -> str:
    """The tables."""
    lines = [
        "| trains of 8, kernel stamps, 8 source ports | CPU us a probe, median | best | worst |",
        "|---|---|---|---|",
    ]
    for name, values in costs.items():
        lines.append(f"| {name} | {median(values):.1f} | {min(values):.1f} | {max(values):.1f} |")
    lines += [
        "",
        "| round trip, us | quiet p50 | p99 | loop 50 % busy p50 | p99 | p99 busy less quiet |",
        "|---|---|---|---|---|---|",
    ]
    for name in ("kernel stamps", "user-space timers"):
        quiet, busy = rtts[name, False], rtts[name, True]
        figures = [quantile(quiet, 0.5), quantile(quiet, 0.99), quantile(busy, 0.5), quantile(busy, 0.99)]
        cells = " | ".join(f"{figure:.1f}" for figure in figures)
        lines.append(f"| {name} | {cells} | {figures[3] - figures[1]:+.1f} |")
    return "\n".join(lines)


def main() -> None:
    """Starts the far end, measures, writes."""
    before = os.getloadavg()
    cores = sorted(os.sched_getaffinity(0))
    far = subprocess.Popen([sys.executable, __file__, "respond"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert far.stdout and far.stdin
    os.sched_setaffinity(far.pid, cores[-1:])
    os.sched_setaffinity(0, cores[:1])
    try:
        port = int(far.stdout.readline())
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            tables = runner.run(measure(port))
    finally:
        far.stdin.close()
        far.wait(10)
        far.stdout.close()
    text = (
        "# UDP trains\n\n"
        f"Python {platform.python_version()}, Linux {platform.release()}, {len(cores)} cores, one for each end; load "
        f"average {before[0]:.1f} before and {os.getloadavg()[0]:.1f} after (the bench itself makes about 1).\n"
        f"{ROUNDS} rounds of CPU, {BLOCKS * BLOCK * TRAIN:,} round trips a cell, all in turns. "
        "Targets: 45 us a probe; 25 us of difference at p99.\n\n"
    )
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(text + tables + "\n")
    print(text + tables)


if __name__ == "__main__":
    if sys.argv[1:] == ["respond"]:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(respond())
    else:
        main()
