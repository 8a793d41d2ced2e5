"""How many megabytes an agent is: 10, 100 and 1,000 targets after 10,000 probes, and whether a million make it grow.

One real agent process probes members on 127.0.0.0/8 that one responder process answers. RSS counts pages shared with
other processes in full, PSS by share (proc(5), smaps_rollup). Writes bench/results/memory.md.
"""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from urllib.request import urlopen

from bench._usage import memory_of, refuse_uncompiled
from tests.apps.agents import until

RESULTS = Path(__file__).parent / "results/memory.md"
PORT, PEER_PORT = 17473, 17474
PEERS = 6
"""Responders, because one answers at most 2,000 datagrams a second of one address."""


def address(number: int) -> str:
    return f"127.1.{number // 250}.{number % 250 + 1}"


def write(folder: Path, targets: int, periods: dict[str, float]) -> None:
    members = [{"name": "me", "node": "me", "addresses": ["127.0.0.1"], "port": PORT}]
    members += [  # known by the address alone, so that whoever answers there is the one meant
        {"name": f"m{i}", "node": address(i), "addresses": [address(i)], "port": PEER_PORT + i % PEERS}
        for i in range(targets)
    ]
    (folder / "members.json").write_text(json.dumps({"version": 1, "members": members}))
    off = {kind: {"period": periods.get(kind, 0), "timeout": 2} for kind in ("udp", "tcp", "http", "icmp", "mtu")}
    common = {"log": {"level": "error"}}
    me = {
        "member": {"name": "me", "port": PORT, "bind": ["127.0.0.1"]},
        "roster": {"file": str(folder / "members.json")},
        "schedule": {"members": max(1, targets)},
        "plan": {"families": [4], **off},
        **common,
    }
    (folder / "me.json").write_text(json.dumps(me))
    for number in range(PEERS):
        peer = {"member": {"name": f"peer-{number}", "port": PEER_PORT + number, "bind": ["0.0.0.0"]}, **common}
        (folder / f"peer-{number}.json").write_text(json.dumps(peer))


def start(config: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "kubesonar", "agent", "--config", str(config)])


def metric(name: str) -> float:
    with urlopen(f"http://127.0.0.1:{PORT}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    return sum(float(value) for value in re.findall(rf"^{name}(?:{{[^}}]*}})? (\S+)$", text, re.M))


class Run:
    """An agent with so many targets, and who answers it."""

    def __init__(self, targets: int, periods: dict[str, float]) -> None:
        self._folder = tempfile.TemporaryDirectory()
        folder = Path(self._folder.name)
        write(folder, targets, periods)
        self._peers = [start(folder / f"peer-{number}.json") for number in range(PEERS)]
        time.sleep(3)
        self.agent = start(folder / "me.json")
        until(self._serves)

    def until(self, name: str, count: float) -> None:
        """Waits until that counter has reached `count`."""
        deadline = time.monotonic() + 600
        while metric(name) < count:
            if time.monotonic() > deadline or self.agent.poll() is not None:
                raise RuntimeError(f"{name} did not reach {count}: {metric(name)}")
            time.sleep(1)

    def _serves(self) -> bool:
        try:
            metric("kubesonar_probes_total")
        except OSError:
            return False
        return True

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        for process in (self.agent, *self._peers):
            process.send_signal(signal.SIGKILL)
            process.wait()
        self._folder.cleanup()


def sizes() -> list[str]:
    rows = []
    for targets in (10, 100, 1000):
        # Ten thousand probes of all kinds in about a minute, whatever the number of targets.
        period = targets * 4 / 200
        with Run(targets, dict.fromkeys(("udp", "tcp", "http", "icmp"), period)) as run:
            run.until("kubesonar_probes_total", 10_000)
            rss, pss = memory_of(run.agent.pid)
            rows.append(f"| {targets:,} | {rss:.1f} | {pss:.1f} |")
            print(rows[-1], flush=True)
    return rows


def growth() -> list[str]:
    rows = []
    with Run(100, {"udp": 0.1}) as run:
        for million in (0.1, 0.25, 0.5, 0.75, 1.0):
            run.until("kubesonar_udp_sent_total", million * 1e6)
            rss, pss = memory_of(run.agent.pid)
            rows.append(f"| {million * 1e6:,.0f} | {rss:.1f} | {pss:.1f} |")
            print(rows[-1], flush=True)
    return rows


def imports() -> list[str]:
    steps = [
        ("python", ""),
        ("asyncio, ssl", "import asyncio, ssl"),
        ("uvloop, httptools, msgspec", "import asyncio, ssl, uvloop, httptools, msgspec"),
        ("kubesonar.web, kubesonar.config", "import kubesonar.web, kubesonar.config, uvloop"),
        ("kubesonar.apps.agent", "import kubesonar.apps.agent"),
    ]
    rows = []
    for name, code in steps:
        read = "\nprint(open('/proc/self/smaps_rollup').read())"
        rollup = subprocess.run([sys.executable, "-c", code + read], capture_output=True, text=True, check=True).stdout
        resident = re.search(r"Rss:\s+(\d+)", rollup)
        assert resident is not None
        rows.append(f"| {name} | {int(resident[1]) / 1024:.1f} |")
    return rows


def main() -> None:
    refuse_uncompiled()
    parts = [
        "# Memory of an agent",
        "",
        f"Python {sys.version.split()[0]}, one agent process, MiB. Written by `bench/memory.py`.",
        "",
        "After 10,000 probes (udp, tcp, http, icmp in turn):",
        "",
        "| targets | RSS | PSS |",
        "|---|---|---|",
        *sizes(),
        "",
        "Growth, 100 targets, UDP datagrams sent:",
        "",
        "| datagrams | RSS | PSS |",
        "|---|---|---|",
        *growth(),
        "",
        "Where the megabytes are (RSS of a fresh process that imports so much):",
        "",
        "| imported | RSS |",
        "|---|---|",
        *imports(),
        "",
    ]
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text("\n".join(parts))


if __name__ == "__main__":
    main()
