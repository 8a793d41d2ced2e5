"""List and watch of 100 and 3,000 pods with our client, beside lightkube in the same run: memory and CPU.

`python -m bench.kube` writes bench/results/kube.md. The server is the API double of the tests, on HTTPS over loopback.
Each client is a process of its own that says what it took. lightkube is installed into a folder of the run's; where
that cannot be done it is left out, with the reason.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from tests.kube import shapes
from tests.kube.apiserver import ApiServer

RESULT = Path(__file__).with_name("results") / "kube.md"
CHILD = Path(__file__).with_name("_kube_child.py")
COUNTS = (100, 3000)
EVENTS = 3000
ROUNDS = 3
BULK = 4000
"""Bytes of each pod that nobody here reads, beyond the 2.5 kB of the tests' pods."""

NAMES = {"ours": "ours", "lightkube": "lightkube", "reduced": "lightkube, its objects reduced at once"}


HEAD = """# Listing and watching pods

`python -m bench.kube`: Python {python}, Linux {linux}, {cores} cores, load average {load}. Medians of {rounds} rounds
in turns, each in a fresh process on uvloop; pods of {size} bytes, {events} events that each change a pod's readiness.
RSS is in MiB. {peers}

| client | pods | RSS imported | listed | its peak | after the events | CPU to start, ms | to list, ms | an event, us |
|---|---|---|---|---|---|---|---|---|
"""
TAIL = """

Ours cuts a list into objects as it comes in and keeps only the fields that it reads, so the answer itself (18 MB for
3,000 pods) never lies in memory: its peak is what it keeps.
"""


def installed(folder: Path) -> tuple[str, str]:
    """An interpreter that has lightkube and its version; empty, and the reason why not."""
    python = folder / "bin" / "python"
    for command in (
        [sys.executable, "-m", "venv", str(folder)],
        [str(python), "-m", "pip", "install", "-q", "lightkube", "uvloop"],
    ):
        made = subprocess.run(command, capture_output=True, text=True, check=False)
        if made.returncode:
            return "", f"lightkube could not be installed: {made.stderr.strip().splitlines()[-1]}"
    code = "import importlib.metadata as m; print(m.version('lightkube'))"
    return str(python), subprocess.run(
        [str(python), "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()


def measure(python: str, way: str, count: int) -> dict[str, dict[str, Any]]:
    """The steps of one client against a server of its own."""
    with tempfile.TemporaryDirectory() as folder, ApiServer() as api:
        api.populate(count, bulk=BULK)
        environment = {**os.environ, **api.in_cluster(Path(folder))}
        command = [python, str(CHILD), way, folder, str(EVENTS)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as child:
            try:
                return read_steps(child, api, count)
            finally:
                child.kill()


def read_steps(child: subprocess.Popen[bytes], api: ApiServer, count: int) -> dict[str, dict[str, Any]]:
    steps: dict[str, dict[str, Any]] = {}
    assert child.stdout is not None
    for line in child.stdout:
        step = msgspec.json.decode(line)
        steps[step["step"]] = step
        if step["step"] == "listed":
            if step["objects"] != count:
                raise RuntimeError(f"{step['objects']} objects instead of {count}")
            api.wait(lambda: api.asked("watch", "pods"))
            change(api, count)
    if "watched" not in steps:
        raise RuntimeError(f"the client ended after {list(steps)}")
    return steps


def change(api: ApiServer, count: int) -> None:
    """So many events, each of which an agent has to look at."""
    for number in range(EVENTS):
        which, ready = number % count, bool(number // count % 2)
        pod = shapes.pod(f"agent-{which}", node=f"node-{which}", ips=("10.0.0.1",), ready=ready, bulk=BULK)
        api.put("pods", pod)


def row(way: str, count: int, runs: list[dict[str, dict[str, Any]]]) -> str:
    def of(value: Callable[[dict[str, dict[str, Any]]], float]) -> float:
        return median(value(run) for run in runs)

    imported = of(lambda run: run["started"]["rss"])
    listed = of(lambda run: run["listed"]["rss"])
    peak = of(lambda run: run["listed"]["peak"])
    after = of(lambda run: run["watched"]["rss"])
    listing = of(lambda run: run["listed"]["cpu"] - run["started"]["cpu"]) * 1000
    watching = of(lambda run: run["watched"]["cpu"] - run["listed"]["cpu"]) / EVENTS * 1e6
    start = of(lambda run: run["started"]["cpu"]) * 1000
    return (
        f"| {NAMES[way]} | {count:,} | {imported:.1f} | {listed:.1f} | {peak:.1f} | {after:.1f} "
        f"| {start:.0f} | {listing:.0f} | {watching:.0f} |"
    )


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        peer, version = installed(Path(folder))
        ways = {"ours": sys.executable} | ({"lightkube": peer, "reduced": peer} if peer else {})
        rows = []
        for count in COUNTS:
            runs: dict[str, list[Any]] = {way: [] for way in ways}
            for _ in range(ROUNDS):
                for way, python in ways.items():
                    runs[way].append(measure(python, way, count))
            rows += [row(way, count, runs[way]) for way in ways]
            print("\n".join(rows[-len(ways) :]), flush=True)
    peers = f"lightkube {version}." if peer else version
    RESULT.write_text(HEAD.format(peers=peers, **facts()) + "\n".join(rows) + TAIL)


def facts() -> dict[str, Any]:
    """Where and with what this was measured."""
    return {
        "python": platform.python_version(),
        "linux": platform.release(),
        "cores": os.cpu_count(),
        "load": f"{os.getloadavg()[0]:.1f}",
        "rounds": ROUNDS,
        "size": f"{len(json.dumps(shapes.pod('agent-0', bulk=BULK))):,}",
        "events": f"{EVENTS:,}",
    }


if __name__ == "__main__":
    main()
