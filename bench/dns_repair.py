"""How soon a DNS pod that falls deaf by UDP is seen, and restarted where that is wanted at once.

`python -m bench.dns_repair [TRIALS]` (default 10) writes bench/results/dns_repair.md. `kubesonar dns watch --repair on
--after 0s` runs as a process, as in a cluster, with its usual period, beside real DNS servers and the API double of the
tests; one server stops answering by UDP at a random moment, and it is measured when the metrics say so, when the
eviction arrives at the API server, and when the doctor holds the restart for successful. Each trial has a doctor and a
cluster of its own.
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

from tests.apps.dns.watching import watching
from tests.doctor import dns_server
from tests.doctor.cluster import dns_cluster
from tests.doctor.repair.doctors import populate

RESULT = Path(__file__).with_name("results") / "dns_repair.md"
SUCCESSOR = "127.0.0.13"
SEED = 20261128


class Times(msgspec.Struct):
    """Seconds from the moment at which the server fell deaf."""

    seen: float
    restarted: float
    helped: float


def trial(rng: random.Random) -> Times:
    """Let one pod fall deaf, and wait until it is restarted."""
    with tempfile.TemporaryDirectory() as folder, dns_cluster(SUCCESSOR) as cluster:
        populate(cluster, 1, 2, holder="")
        arguments = ("--repair", "on", "--after", "0s", "--period", "5", "--timeout", "2")
        with watching(cluster, Path(folder), *arguments) as watch:
            watch.until(lambda found: found.get(("kubesonar_dns_healthy", "")) == 1)
            time.sleep(rng.uniform(0, 5))
            began = time.monotonic()
            cluster.pods[0].udp = dns_server.silent
            watch.until(lambda found: found.get(("kubesonar_dns_healthy", "")) == 0)
            seen = time.monotonic() - began
            watch.until(lambda found: ("kubesonar_dns_restarts_total", "done") in found)
            restarted = time.monotonic() - began
            watch.until(lambda found: found.get(("kubesonar_dns_restart_outcomes_total", "true")) == 1)
            return Times(seen, restarted, time.monotonic() - began)


def report(times: list[Times]) -> str:
    """The page with the figures."""
    rows = (
        ("the deaf pod is seen", [one.seen for one in times], 10.0),
        ("from there to its restart", [one.restarted - one.seen for one in times], 15.0),
        ("from the fault to its restart", [one.restarted for one in times], 0.0),
        ("from the fault to the successor's answer", [one.helped for one in times], 0.0),
    )
    lines = [
        f"| {what} | {median(found):.1f} | {max(found):.1f} | {f'{goal:.0f}' if goal else ''} |"
        for what, found, goal in rows
    ]
    where = f"{datetime.now(UTC):%Y-%m-%d}, Linux {platform.release()}, {os.cpu_count()} cores, Python "
    return (
        "# From a deaf DNS pod to its restart\n\n"
        f"{where}{platform.python_version()}, load {os.getloadavg()[0]:.1f}. `python -m bench.dns_repair`: "
        "`kubesonar dns watch --repair on --after 0s --period 5 --timeout 2` from one standpoint, which takes 3 rounds "
        "in a row; real DNS servers and the API double on this machine's loopback, "
        f"{len(times)} trials, seed {SEED}.\n\n"
        "| seconds | median | most | goal |\n|---|---|---|---|\n" + "\n".join(lines) + "\n"
    )


def main() -> int:
    """Measure and write the page."""
    rng = random.Random(SEED)
    times = [trial(rng) for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 10)]
    RESULT.write_text(report(times))
    print(report(times))
    return 0


if __name__ == "__main__":
    sys.exit(main())
