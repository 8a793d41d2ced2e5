"""How fast the KNH room tells a death, with the default tries and pauses, and what a pod of it costs.

`python -m bench.knh [RUNS]` (default 3) writes bench/results/knh.md. The pods are processes of their own on loopback
addresses; the API server is the double of the tests, the receiver of PEER_STATUS_URL is in this process. What KNH
itself would have needed is reckoned from its timers (it cannot run here: it needs a cluster).
"""

from __future__ import annotations

import asyncio
import json
import os
import platform
import signal
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from bench._usage import cpu_of, memory_of
from tests.compat.knh.rig import NAMESPACE, PORT, SERVICE, behind_service, ip
from tests.kube.apiserver import ApiServer
from tests.notify.receivers import Receiver

RESULT = Path(__file__).with_name("results") / "knh.md"
SIZES = (3, 5, 15)
SETTLED = 25.0
"""Seconds until the first election is over and everybody is watched."""
IDLE = 30.0


class Pods:
    """`size` processes; the greatest id is the last that has one digit."""

    def __init__(self, size: int, config: str, url: str) -> None:
        self._config, self._url = config, url
        self.running = {number: self._start(number) for number in range(1, size + 1)}
        self.coordinator = max(self.running, key=lambda number: f"node-{number}")

    def kill(self, number: int) -> None:
        self.running[number].kill()
        self.running[number].wait()

    def restart(self, number: int) -> None:
        self.running[number] = self._start(number)

    def close(self) -> None:
        for process in self.running.values():
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        environ = {
            "POD_IP": ip(number),
            "MY_NODE_NAME": f"node-{number}",
            "SERVICE_NAME": SERVICE,
            "NAMESPACE": NAMESPACE,
            "CONTAINER_PORT": str(PORT),
            "KUBECONFIG": self._config,
            "PEER_STATUS_URL": self._url,
            "LOG_LEVEL": "disabled",
        }
        return subprocess.Popen([sys.executable, "-m", "kubesonar", "knh"], env={**os.environ, **environ})


async def told(receiver: Receiver, number: int, since: float) -> float:
    """Seconds until the death of that pod is told."""
    seen = len(receiver.requests)

    def dead() -> bool:
        return any(
            json.loads(request.body)["peer"]["node_name"] == f"node-{number}" for request in receiver.requests[seen:]
        )

    async with asyncio.timeout(120):
        while not dead():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return time.monotonic() - since


async def measured(size: int, runs: int) -> tuple[dict[str, list[float]], float, float]:
    """Seconds by what happened; MiB of a pod; share of a core of the coordinator."""
    found: dict[str, list[float]] = {"killed": [], "stopped": [], "coordinator killed": []}
    with ApiServer() as api, tempfile.TemporaryDirectory() as folder:
        behind_service(api, *range(1, size + 1))
        async with Receiver().serve() as receiver:
            pods = Pods(size, api.kubeconfig(Path(folder) / "config"), receiver.url)
            try:
                await asyncio.sleep(SETTLED)
                busy = pods.running[pods.coordinator].pid
                before = cpu_of(busy)
                await asyncio.sleep(IDLE)
                load, (_, pss) = (cpu_of(busy) - before) / IDLE, memory_of(pods.running[1].pid)
                for run in range(runs):
                    member = 1 + run % 2
                    pods.kill(member)
                    found["killed"].append(await told(receiver, member, time.monotonic()))
                    pods.restart(member)
                    await asyncio.sleep(10 + 1.7 * run)
                    pods.running[member].send_signal(signal.SIGSTOP)
                    found["stopped"].append(await told(receiver, member, time.monotonic()))
                    pods.running[member].send_signal(signal.SIGCONT)
                    await asyncio.sleep(10 + 1.7 * run)
                    pods.kill(pods.coordinator)
                    found["coordinator killed"].append(await told(receiver, pods.coordinator, time.monotonic()))
                    pods.restart(pods.coordinator)
                    await asyncio.sleep(SETTLED)
            finally:
                pods.close()
    return found, pss, load


HEAD = """# What the KNH room tells, how fast, and what it costs

Made by `python -m bench.knh {runs}` on {day}, Python {python}, {cores} cores shared with other work. Seconds from the
event to the post at PEER_STATUS_URL, least and most of {runs} runs, with KNH's default tries and pauses. *Stopped* is
SIGSTOP: the kernel accepts, nobody answers.

| pods | member killed | member stopped | coordinator killed | MiB of a pod (PSS) | idle coordinator, % of a core |
|---|---|---|---|---|---|
{rows}

KNH, reckoned from its timers: it looks at its peers in an election only, so up to 15 s pass before it begins, then 4 s
of tries for each refused peer that comes before; and no end where a peer accepts and stays silent, because its calls
have no time-out. A dead coordinator is noticed in the next election of another pod, likewise up to 15 s later.
"""


async def main(runs: int) -> None:
    rows = []
    for size in SIZES:
        found, pss, load = await measured(size, runs)
        cells = [f"{min(times):.1f} to {max(times):.1f}" for times in found.values()]
        rows.append(f"| {size} | {' | '.join(cells)} | {pss:.0f} | {100 * load:.1f} |")
        print(rows[-1], flush=True)
    day, python, cores = f"{datetime.now(UTC):%Y-%m-%d}", platform.python_version(), os.cpu_count()
    RESULT.write_text(HEAD.format(runs=runs, day=day, python=python, cores=cores, rows="\n".join(rows)))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 3))
