"""Every fault of the lab and random pairs, on real packets at default rates: how soon each is named, and what else is.

`python -m bench.lab_faults [PAIRS [NODES]]` (default 30 and 5) writes bench/results/lab_faults.md. One lab serves all;
each fault is injected when the mesh is well, watched for `WATCHED` seconds with one look each half second (as
`kubesonar check --watch` looks), cleared, and watched until the mesh is well again. The draw is that of `SEED`.
"""

from __future__ import annotations

import os
import platform
import random
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import msgspec

from kubesonar.apps.client import asking
from kubesonar.apps.client.gather import AgentAccess
from kubesonar.apps.client.sources import sources_of
from kubesonar.apps.client.watch import Watch
from tests.scenarios.running_lab import RunningLab, await_good

RESULT = Path(__file__).with_name("results") / "lab_faults.md"
WATCHED = 40.0
SILENCE = 90.0
PAUSE = 0.5
SEED = 20261128

FAULTS = (
    ("cut node-2", {("node", "node-2")}),
    ("drop *>node-3", {("node_in", "node-3")}),
    ("drop node-3>*", {("node_out", "node-3")}),
    ("loss *>node-4 30", {("node_in", "node-4")}),
    ("udp node-1>node-4", {("pair_udp", "node-1>node-4")}),
    ("port node-1>node-4 tcp/7473", {("pair_port", "node-1>node-4 tcp/7473")}),
    ("mtu node-2>node-5 1300", {("pair_mtu", "node-2>node-5")}),
    ("podnet node-4", {("pod_network", "node-4")}),
    ("rate node-5 2000", {("link_rate", "node-5")}),
    ("kill node-3", {("agent_gone", "node-3")}),
    ("pause node-3", {("agent_frozen", "node-3")}),
    ("dns dns-1 udp", {("dns_udp", "dns-1")}),
    ("drop *>api", {("api_server", "api")}),
    ("drop *>ingress", {("ingress", "ingress")}),
)
"""What is broken, and the parts with the subjects that have to be named."""


Named = set[tuple[str, str]]


class Trial(msgspec.Struct):
    """One fault: seconds until it alone was named and until silence (None: never), looks that named somebody else and
    what these said."""

    fault: str
    right: float | None = None
    silence: float | None = None
    looks: int = 0
    wrong: int = 0
    said: set[str] = msgspec.field(default_factory=set)


def trial(lab: RunningLab, watch: Watch, fault: str, expected: Named) -> Trial:
    """Break it, watch, clear it, watch until silence."""
    found = Trial(fault)
    lab.order(fault)
    _look(watch, WATCHED, found, expected)
    for order in (f"resume {fault.split()[-1]}", "clear") if fault.startswith("pause") else ("clear",):
        lab.order(order)
    start = time.monotonic()
    while time.monotonic() < start + SILENCE and found.silence is None:
        if not _named(watch)[0]:
            found.silence = time.monotonic() - start
        time.sleep(PAUSE)
    await_good(lab, 120.0)
    return found


def _look(watch: Watch, seconds: float, found: Trial, expected: Named) -> None:
    start = time.monotonic()
    while (passed := time.monotonic() - start) < seconds:
        named, sentence = _named(watch)
        found.looks += 1
        if named - expected:
            found.wrong += 1
            found.said.add(sentence)
        if named == expected and found.right is None:
            found.right = passed
        time.sleep(PAUSE)


def _named(watch: Watch) -> tuple[Named, str]:
    verdict = asking.run_async(watch.look()).verdict
    return {(finding.part, finding.subject) for finding in verdict.findings}, verdict.sentence


def pairs(count: int, nodes: int) -> list[tuple[str, Named]]:
    """So many faults of random pairs of nodes, dead or lossy one way."""
    rng = random.Random(SEED)
    drawn = []
    for number in range(count):
        a, b = rng.sample(range(1, nodes + 1), 2)
        ends = f"node-{a}>node-{b}"
        drawn.append((f"drop {ends}" if number % 2 else f"loss {ends} 30", {("pair", ends)}))
    return drawn


def report(trials: list[Trial], nodes: int) -> str:
    """The figures for people."""
    right = [trial.right for trial in trials if trial.right is not None]
    silent = [trial.silence for trial in trials if trial.silence is not None]
    lines = [
        "# The lab's faults at default rates",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, Linux {platform.release()}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}, load {os.getloadavg()[1]:.1f}. `python -m bench.lab_faults`: {nodes} nodes, "
        f"both networks, real packets, `scripts/lab --rates default`; each fault for {WATCHED:.0f} s, seed {SEED}.",
        "",
        f"Named, and nothing else, in {len(right)} of {len(trials)}: median {median(right or [0]):.1f} s, at most "
        f"{max(right, default=0):.1f} s. Somebody else named on the way in {sum(bool(t.wrong) for t in trials)}. "
        f"Silent after the cure in {len(silent)}: median {median(silent or [0]):.1f} s, at most "
        f"{max(silent, default=0):.1f} s.",
        "",
        "| fault | right after s | silent after s | looks that named others | what these said |",
        "|---|---|---|---|---|",
        *(
            f"| `{t.fault}` | {_seconds(t.right)} | {_seconds(t.silence)} | {t.wrong} of {t.looks} "
            f"| {'; '.join(sorted(t.said)[:3])} |"
            for t in trials
        ),
    ]
    return "\n".join(lines) + "\n"


def _seconds(value: float | None) -> str:
    return "never" if value is None else f"{value:.1f}"


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    nodes = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    trials = []
    with tempfile.TemporaryDirectory() as folder, RunningLab(Path(folder), nodes, rates="default") as lab:
        await_good(lab, 120.0, stays=30.0)
        sources = sources_of([str(Path(folder) / "lab")])
        watch = Watch(lambda: sources, AgentAccess())
        for fault, expected in (*FAULTS, *pairs(count, nodes)):
            trials.append(trial(lab, watch, fault, set(expected)))
            print(trials[-1], flush=True)
    RESULT.write_text(report(trials, nodes))
    print(RESULT.read_text())


if __name__ == "__main__":
    main()
