"""How soon the world is told that a member is gone, dead or frozen, beside serf in the same lab, by the same faults.

`python -m bench.detection [NODES …]` writes bench/results/detection.md. Serf is Debian's package `serf` (memberlist,
LAN profile), one agent in each node's host network; its time is that of its event handler, ours that of the webhook's
arrival.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

from kubesonar.apps.lab import mesh
from kubesonar.lab.directory import Directory
from kubesonar.lab.faults import parse
from kubesonar.lab.kernel.isolate import Isolation, run_isolated
from kubesonar.lab.kernel.processes import LabProcess
from kubesonar.lab.servers.pager import read_notices
from kubesonar.lab.topology import LabNode, plan_lab
from kubesonar.lab.world import LabWorld

RESULT = Path(__file__).with_name("results") / "detection.md"
ROUNDS = 3
VERBS = {"kill": "gone", "cut": "dead", "pause": "frozen"}
LONGEST = 30.0
STEP = 0.01

Times = dict[str, list[float]]


class Serfs:
    """A serf agent in the host network of every node."""

    def __init__(self, world: LabWorld, folder: Path) -> None:
        self.failures = folder / "failures"
        self.failures.touch()
        handler = folder / "failed.sh"
        handler.write_text(f'#!/bin/sh\nwhile read -r name rest; do echo "$name" >>{self.failures}; done\n')
        handler.chmod(handler.stat().st_mode | stat.S_IXUSR)
        nodes = world.plan.nodes
        self.processes = {
            node.name: LabProcess(
                f"serf-{node.name}",
                partial(_serf, node, nodes[0], handler),
                world.network(node.name),
                folder / f"serf-{node.name}.log",
            )
            for node in nodes
        }
        for process in self.processes.values():
            process.start()
            time.sleep(0.1)

    def apply(self, verb: str, node: str) -> None:
        """What the lab does to its own agents."""
        process = self.processes[node]
        if verb == "kill":
            process.kill()
        elif verb == "pause":
            process.pause()

    def clear(self, node: str) -> None:
        """Undoes it."""
        self.processes[node].resume()
        self.processes[node].start()

    def failed(self) -> list[str]:
        """Names that any agent saw fail so far."""
        return self.failures.read_text().split()


def _serf(node: LabNode, first: LabNode, handler: Path) -> int:
    address = node.host.addresses[0]
    os.execvp(
        "serf",
        [
            "serf", "agent", f"-node={node.name}", f"-bind={address}:7946", "-rpc-addr=127.0.0.1:7373",
            f"-retry-join={first.host.addresses[0]}:7946", f"-event-handler=member-failed={handler}",
        ],
    )  # fmt: skip


def measure(nodes: int, out: Path, isolation: Isolation) -> int:
    """Runs in the lab's namespaces and writes its rows."""
    if not isolation.namespaces:
        sys.exit(f"needs network namespaces: {isolation.reason}")
    ours: Times = {verb: [] for verb in VERBS}
    theirs: Times = {verb: [] for verb in VERBS}
    with (
        tempfile.TemporaryDirectory() as folder,
        LabWorld.build(plan_lab(nodes), Directory(Path(folder) / "lab")) as world,
    ):
        mesh.start(world, "")
        serfs = Serfs(world, Path(folder))
        try:
            time.sleep(12.0 + nodes)
            for number in range(ROUNDS * len(VERBS)):
                verb = list(VERBS)[number % len(VERBS)]
                node = world.plan.nodes[number % nodes].name
                told, failed = _once(world, serfs, verb, node)
                ours[verb].append(told)
                theirs[verb].append(failed)
        finally:
            for process in serfs.processes.values():
                process.kill()
    rows = [
        f"| {nodes} | {verb} | {_figures(ours[verb])} | {_figures(theirs[verb])} "
        f"| {median(ours[verb]) / median(theirs[verb]):.2f} |"
        for verb in VERBS
    ]
    out.write_text("\n".join(rows) + "\n")
    return 0


def _once(world: LabWorld, serfs: Serfs, verb: str, node: str) -> tuple[float, float]:
    before, failures = len(read_notices(world.directory.notices)), len(serfs.failed())
    began = time.monotonic()
    world.apply(parse(f"{verb} {node}", world.plan))
    serfs.apply(verb, node)

    def told() -> bool:
        news = read_notices(world.directory.notices)[before:]
        return any(notice.what == VERBS[verb] and notice.member == f"{node}-host" for notice in news)

    times = _await(began, [told, lambda: node in serfs.failed()[failures:]])
    world.clear()
    serfs.clear(node)
    time.sleep(12.0)
    return times[0], times[1]


def _await(began: float, looks: list[Callable[[], bool]]) -> list[float]:
    times = [LONGEST] * len(looks)
    while (now := time.monotonic() - began) < LONGEST and LONGEST in times:
        times = [min(now, at) if at == LONGEST and look() else at for at, look in zip(times, looks, strict=True)]
        time.sleep(STEP)
    return times


def _figures(times: list[float]) -> str:
    return f"{median(times):.1f} ({min(times):.1f} to {max(times):.1f})"


def main() -> None:
    if shutil.which("serf") is None:
        sys.exit("needs serf (Debian's package serf)")
    sizes = [int(word) for word in sys.argv[1:]] or [5, 15]
    rows = []
    folder = Path(tempfile.mkdtemp())  # not a context manager, whose end every forked child would bring about
    for nodes in sizes:
        code = run_isolated(partial(measure, nodes, folder / "rows"))
        if code:
            sys.exit(code)
        rows.append((folder / "rows").read_text().rstrip())
    shutil.rmtree(folder)
    text = "\n".join(
        [
            "# From a fault to the webhook",
            "",
            f"`python -m bench.detection`: seconds, median (least to most) of {ROUNDS}; native defaults; members of",
            "the host network; kill: `kill -9` of the agents, cut: the node's link, pause: the agents frozen. Serf",
            "calls all of them failed.",
            "",
            "| nodes | fault | kubesonar, webhook arrived (s) | serf, event handler ran (s) | ratio |",
            "|---|---|---|---|---|",
            *rows,
            "",
        ]
    )
    RESULT.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
