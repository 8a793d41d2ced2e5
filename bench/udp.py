"""UDP trains of 8 to a responder in another process: CPU per probe, and how far a busy event loop shifts the figures.

`python -m bench.udp` writes bench/results/udp.md. CPU is user and system time of the probing process (getrusage), from
the check to the finished observation. The busy loop spins 5 ms of every 10; kernel stamps and user-space timers ask
the same responder, in turns, quiet and busy, so that the machine's moods meet all of them. `python -m bench.udp flood`
measures floods alone, and writes the part about them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import platform
import random
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median

import uvloop

from bench._usage import own_cpu
from kubesonar.core.wire import codec
from kubesonar.core.wire.codec import Sender
from kubesonar.core.wire.keyring import Keyring
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
FLOOD, FLOOD_RATE, FLOODS = 20_000, 20_000, 5


async def respond() -> None:
    """The far end: prints its port, then answers until its standard input closes."""
    unlimited = RateLimits(rate=1e9, burst=1e9, total_rate=1e9, total_burst=1e9)
    responder = UdpResponder(
        ["127.0.0.1"], 0, me=lambda: who("b"), ring=lambda: RING, publish=lambda record: None, limits=unlimited
    )
    print(responder.port, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    responder.close()


async def endure() -> None:
    """The far end of a flood: prints its port, then, for each line of its standard input, its CPU so far (s)."""
    responder = UdpResponder(["127.0.0.1"], 0, me=lambda: who("b"), ring=lambda: RING, publish=lambda record: None)
    print(responder.port, flush=True)
    loop = asyncio.get_running_loop()
    while await loop.run_in_executor(None, sys.stdin.readline):
        print(own_cpu(), responder.counters["received"], flush=True)
    responder.close()


def floods() -> dict[str, bytes]:
    """One datagram of each kind of flood."""
    sender = Sender(who("a"), 1)
    signed = sender.probe(RING, 1, 0, 1, 64)
    forged = Keyring({1: bytes(32)}, 1)
    return {
        "forged": sender.probe(forged, 1, 0, 1, 64),
        "forged, 1,400 bytes": sender.probe(forged, 1, 0, 1, 1400),
        "a key that is not held": sender.probe(Keyring({9: bytes(32)}, 9), 1, 0, 1, 64),
        "noise": os.urandom(64),
        "empty": b"",
        "signed, replayed": signed,
    }


def endured(far: subprocess.Popen[bytes]) -> tuple[float, int]:
    """CPU seconds of the far end so far, and the datagrams that it has read."""
    assert far.stdin and far.stdout
    far.stdin.write(b"\n")
    far.stdin.flush()
    used, read = far.stdout.readline().split()
    return float(used), int(read)


def flood(far: subprocess.Popen[bytes], port: int, data: bytes) -> tuple[float, float]:
    """Microseconds of CPU for each datagram of a flood, and the share of them that was read."""
    began, before = endured(far)
    start, sent = time.monotonic(), 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flooder:
        while sent < FLOOD:
            flooder.sendto(data, ("127.0.0.1", port))
            sent += 1
            while time.monotonic() - start < sent / FLOOD_RATE:
                pass
    time.sleep(2 * SLICE)
    used, read = endured(far)
    return (used - began) / FLOOD * 1e6, (read - before) / FLOOD


def flood_table() -> str:
    """The table of floods, as markdown."""
    far = subprocess.Popen([sys.executable, "-m", "bench.udp", "endure"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert far.stdout and far.stdin
    try:
        port = int(far.stdout.readline())
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in floods()}
        for _ in range(FLOODS):
            for name, data in floods().items():
                found[name].append(flood(far, port, data))
    finally:
        far.stdin.close()
        far.wait(10)
        far.stdout.close()
    lines = [
        "| 20,000 datagrams a second, each | CPU us a datagram, median | best | worst | read |",
        "|---|---|---|---|---|",
    ]
    for name, figures in found.items():
        used = [figure for figure, _ in figures]
        share = median(share for _, share in figures)
        lines.append(f"| {name} | {median(used):.1f} | {min(used):.1f} | {max(used):.1f} | {share:.0%} |")
    return "\n".join(lines)


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


async def cost(probe: UdpProbe, check: Check, trains: int, together: int, pause: float) -> float:
    """Microseconds of CPU a datagram: `together` trains at once, then a pause. With a pause, what the pauses alone cost
    stays in: an agent pays it too."""
    began = own_cpu()
    for _ in range(trains // together):
        for observation in await asyncio.gather(*(probe(check) for _ in range(together))):
            if observation.received != TRAIN or not observation.rtt or observation.rtt.clock is not StampSource.KERNEL:
                raise SystemExit(f"the measurement is void: {observation}")
        if pause:
            await asyncio.sleep(pause)
    return (own_cpu() - began) / trains / TRAIN * 1e6


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
    far = subprocess.Popen(
        [sys.executable, "-m", "bench.udp", "respond"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
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
    RESULT.write_text(text + tables + "\n\n" + flood_part() + "\n")
    print(text + tables)


def flood_part() -> str:
    """The part about floods, with its own word on the machine."""
    before = os.getloadavg()[0]
    table = flood_table()
    return (
        "## A flood\n\n"
        f"Load average {before:.1f} before and {os.getloadavg()[0]:.1f} after; {FLOODS} rounds of {FLOOD:,} datagrams "
        f"in turns, user and system time of the responder's process.\n\n{table}"
    )


def write_flood() -> None:
    """Replaces the part about floods."""
    others = RESULT.read_text().partition("\n## A flood")[0].rstrip("\n")
    part = flood_part()
    RESULT.write_text(f"{others}\n\n{part}\n")
    print(part)


if __name__ == "__main__":
    far_ends = {"respond": respond, "endure": endure}
    if sys.argv[1:] and sys.argv[1] in far_ends:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(far_ends[sys.argv[1]]())
    elif sys.argv[1:] == ["flood"]:
        write_flood()
    else:
        main()
