"""What the kubenurse room costs: memory, CPU and start-up, with the default checks every 5 s.

`python -m bench.kubenurse [SECONDS]` (default 180 for each row) writes bench/results/kubenurse.md. The room is a
process of its own on loopback. The API server is the API double of the tests (HTTPS, ECDSA P-256), in a process that
also answers as neighbours, ingress and service, and that asks the room what a cluster asks it: every neighbour once
per 5 s, /ready every 3 s, /metrics every 15 s.
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from urllib.request import Request, urlopen

import uvloop

from bench._usage import cpu_of, memory_of
from tests.compat.kubenurse.rig import neighbour
from tests.kube import shapes
from tests.kube.apiserver import ApiServer
from tests.ports import free_port

RESULT = Path(__file__).with_name("results") / "kubenurse.md"
STARTS = 7
ROOM = "127.0.0.1"
LIMIT = 0.030
"""A CPU limit of 30m, as shares of a core."""


class Surroundings:
    """Everything around the room, in a process of its own; what the room has to be told is in `environ`."""

    def __init__(self, folder: Path, neighbours: int, port: int) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bench.kubenurse", "around", str(folder), str(neighbours), str(port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        self.environ: dict[str, str] = json.loads(self._process.stdout.readline())

    def first_probe(self) -> float:
        """When the first neighbour was asked (CLOCK_MONOTONIC)."""
        assert self._process.stdout is not None
        return float(self._process.stdout.readline())

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


async def around(folder: Path, neighbours: int, port: int) -> None:
    """What runs in that process, until it is killed."""
    addresses = [f"127.0.0.{number + 2}" for number in range(max(neighbours, 1))]
    async with AsyncExitStack() as stack:
        api = stack.enter_context(ApiServer())
        api.put("nodes", shapes.node("node-0"))
        api.put("pods", shapes.pod("me", node="node-0", ips=(ROOM,)))
        others = []
        for number, address in enumerate(addresses, 1):
            others.append(await stack.enter_async_context(neighbour(address, port)))
            if neighbours:
                api.put("nodes", shapes.node(f"node-{number}"))
                api.put("pods", shapes.pod(f"pod-{number}", node=f"node-{number}", ips=(address,)))
        environ = {
            **api.in_cluster(folder),
            "KUBERNETES_SERVICE_DNS": "localhost",
            "KUBENURSE_SERVICE_ACCOUNT": str(folder),
            "KUBENURSE_INGRESS_URL": f"http://{addresses[-1]}:{port}",
            "KUBENURSE_SERVICE_URL": f"http://{addresses[0]}:{port}",
            "KUBENURSE_LISTEN": f"{ROOM}:{port}",
            "KUBENURSE_POD_NAME": "me",
        }
        print(json.dumps(environ), flush=True)
        while not any(other.asked for other in others):  # noqa: ASYNC110 (they know nothing of this)
            await asyncio.sleep(0.002)
        print(time.monotonic(), flush=True)
        await asyncio.gather(
            *(every(5.0, port, "/alwayshappy", f"pod-{number}") for number in range(neighbours)),
            every(3.0, port, "/ready"),
            every(15.0, port, "/metrics"),
        )


async def every(period: float, port: int, path: str, origin: str = "") -> None:
    request = Request(f"http://{ROOM}:{port}{path}", headers={"KUBENURSE-NEIGHBOUR-ORIGIN": origin} if origin else {})
    while True:
        await asyncio.sleep(period)
        await asyncio.to_thread(lambda: urlopen(request, timeout=10).read())


def room(environ: dict[str, str]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "kubesonar", "kubenurse"]
    return subprocess.Popen(command, env={"PATH": os.environ["PATH"], **environ}, stderr=subprocess.DEVNULL)


def lasting(neighbours: int, seconds: float, **more: str) -> tuple[float, float, float]:
    """Share of a core, RSS and PSS of a room that has run for so long."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        surroundings = Surroundings(Path(folder), neighbours, port)
        process = room({**surroundings.environ, **more})
        try:
            time.sleep(15)
            before, start = cpu_of(process.pid), time.monotonic()
            time.sleep(seconds)
            share = (cpu_of(process.pid) - before) / (time.monotonic() - start)
            healthy(port, process.pid)
            return share, *memory_of(process.pid)
        finally:
            process.kill()
            process.wait()
            surroundings.close()


def healthy(port: int, pid: int) -> None:
    """Refuses figures of a room that failed."""
    with urlopen(f"http://{ROOM}:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    assert "kubenurse_errors_total" not in text, text
    assert 'type="api_server_direct",code="200"' in text, (pid, text)


def starting() -> tuple[float, float, float, float]:
    """Seconds until it serves and CPU until then; seconds until the first probe and CPU until then."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        surroundings = Surroundings(Path(folder), 10, port)
        start = time.monotonic()
        process = room(surroundings.environ)
        try:
            while not listens(port):
                time.sleep(0.002)
            serves, cpu = time.monotonic() - start, cpu_of(process.pid)
            probes = surroundings.first_probe() - start
            return serves, cpu, probes, cpu_of(process.pid)
        finally:
            process.kill()
            process.wait()
            surroundings.close()


def listens(port: int) -> bool:
    with socket.socket() as trial:
        return trial.connect_ex((ROOM, port)) == 0


HEAD = """# The kubenurse room

{date}, `python -m bench.kubenurse`: Python {python}, Linux {linux}, {cores} cores, load average {load:.1f}. Default
checks every 5 s on loopback for {seconds:.0f} s, both API server checks over TLS with full handshakes, while the room
is asked by as many neighbours, by a kubelet and by Prometheus.

| | CPU, % of a core | RSS, MiB | PSS, MiB |
|---|---|---|---|
"""

FOOT = """
The Go original: 33 MiB RSS and 0.38 % of a core for 6 checks per 5 s.

Start-up, medians of {starts}: the first connection is taken after {serves:.2f} s and {cpu:.2f} s of CPU
({limited:.0f} s under a CPU limit of 30m); the first probe leaves after {probes:.2f} s, one interval of 5 s included,
and {later:.2f} s of CPU.
"""


def report(seconds: float) -> str:
    rows = [
        ("10 neighbours", lasting(10, seconds)),
        ("2 neighbours: 6 checks", lasting(2, seconds)),
        ("no neighbours asked, the node alone is followed", lasting(0, seconds, KUBENURSE_CHECK_NEIGHBOURHOOD="false")),
        ("no API discovery at all", lasting(0, seconds, **WITHOUT)),
    ]
    serves, cpu, probes, later = (median(column) for column in zip(*(starting() for _ in range(STARTS)), strict=True))
    head = HEAD.format(
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        python=platform.python_version(),
        linux=platform.release(),
        cores=os.cpu_count(),
        load=os.getloadavg()[0],
        seconds=seconds,
    )
    body = "".join(f"| {name} | {100 * share:.2f} | {rss:.1f} | {pss:.1f} |\n" for name, (share, rss, pss) in rows)
    return (
        head
        + body
        + FOOT.format(starts=STARTS, serves=serves, cpu=cpu, limited=cpu / LIMIT, probes=probes, later=later)
    )


WITHOUT = {
    "KUBENURSE_SERVICE_ACCOUNT": "/nowhere",
    "KUBENURSE_CHECK_NEIGHBOURHOOD": "false",
    "KUBENURSE_INSECURE": "true",
}


def main() -> None:
    if sys.argv[1:2] == ["around"]:
        folder, neighbours, port = sys.argv[2:]
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(around(Path(folder), int(neighbours), int(port)))
        return
    text = report(float(sys.argv[1]) if len(sys.argv) > 1 else 180.0)
    RESULT.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
