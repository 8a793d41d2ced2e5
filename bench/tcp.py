"""How far a busy event loop shifts the round trip of a TCP probe: the kernel's own (TCP_INFO) beside a user-space one.

Both connect to the same listener in another process, in turns, with a quiet loop and with one that spins 5 ms of every
10. Writes bench/results/tcp.md.
"""

from __future__ import annotations

import asyncio
import os
import platform
import socket
import subprocess
import sys
import time
from pathlib import Path

import uvloop

from bench.udp import block, quantile
from kubesonar.model import Check, Kind, Network, StampSource
from kubesonar.model import Path as Way
from kubesonar.probes.source import ProbeSource
from kubesonar.probes.tcp import TcpOptions, TcpProbe

RESULT = Path(__file__).with_name("results") / "tcp.md"
BLOCKS = 30


def listen() -> None:
    """The far end: prints its port, accepts and closes until it is killed."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            listener.accept()[0].close()


async def measure(port: int) -> str:
    """The table."""
    probe = TcpProbe(ProbeSource("a", Network.POD), TcpOptions())
    check = Check("tcp/pod/b/v4", Kind.TCP, Way.POD, "b", "127.0.0.1", port, timeout=5.0)
    loop = asyncio.get_running_loop()

    async def kernel() -> list[float]:
        observation = await probe(check)
        if observation.rtt is None or observation.rtt.clock is not StampSource.KERNEL:
            raise SystemExit(f"the measurement is void: {observation}")
        return [observation.rtt.best]

    async def user() -> list[float]:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as stream:
            stream.setblocking(False)
            began = time.perf_counter()
            await loop.sock_connect(stream, ("127.0.0.1", port))
            return [time.perf_counter() - began]

    askers = {"kernel (TCP_INFO)": kernel, "user-space timer": user}
    rtts: dict[tuple[str, bool], list[float]] = {(name, busy): [] for name in askers for busy in (False, True)}
    for _ in range(BLOCKS):
        for (name, busy), into in rtts.items():
            await block(askers[name], busy, into)
    lines = [
        "| round trip, us | quiet p50 | p99 | loop 50 % busy p50 | p99 | p99 busy less quiet |",
        "|---|---|---|---|---|---|",
    ]
    for name in askers:
        figures = [quantile(rtts[name, busy], share) for busy in (False, True) for share in (0.5, 0.99)]
        cells = " | ".join(f"{figure:.1f}" for figure in figures)
        lines.append(f"| {name} | {cells} | {figures[3] - figures[1]:+.1f} |")
    return "\n".join(lines)


def main() -> None:
    """Starts the far end, measures, writes."""
    cores = sorted(os.sched_getaffinity(0))
    before = os.getloadavg()[0]
    command = [sys.executable, "-m", "bench.tcp", "listen"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as far:
        assert far.stdout
        os.sched_setaffinity(far.pid, cores[-1:])
        os.sched_setaffinity(0, cores[:1])
        try:
            port = int(far.stdout.readline())
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                table = runner.run(measure(port))
        finally:
            far.kill()
    text = (
        "# TCP round trips\n\n"
        f"Python {platform.python_version()}, Linux {platform.release()}, one core for each end, load average "
        f"{before:.1f} before; {BLOCKS * 40:,} connections a cell, in turns. Target: 25 us of difference at p99.\n\n"
    )
    RESULT.write_text(text + table + "\n")
    print(text + table)


if __name__ == "__main__":
    if sys.argv[1:] == ["listen"]:
        listen()
    else:
        main()
