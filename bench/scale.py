"""What a probe costs a whole agent, from schedule to ledger, and whether it costs the same with more targets.

One real agent process, launched in its own ticks, probes members on 127.0.0.0/8 by one kind at a time, at one period;
its CPU is read from /proc, less that of an agent that probes nothing. Writes bench/results/scale.md.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from bench._usage import cpu_of
from bench.memory import Run, metric

RESULTS = Path(__file__).parent / "results/scale.md"
KINDS = ("udp", "tcp", "http", "icmp")
SECONDS = 12.0


def cost(run: Run) -> tuple[float, float]:
    """CPU seconds and probes made in a while."""
    used, made = cpu_of(run.agent.pid), metric("kubesonar_probes_total")
    time.sleep(SECONDS)
    return cpu_of(run.agent.pid) - used, metric("kubesonar_probes_total") - made


def idle() -> float:
    """CPU seconds of an agent that only looks at itself, in the same while."""
    with Run(0, {}) as run:
        time.sleep(2)
        return cost(run)[0]


def per_probe(targets: int, kind: str, period: float, resting: float) -> tuple[float, float]:
    """CPU microseconds of a probe (of a datagram, for UDP), and probes a second."""
    with Run(targets, {kind: period}) as run:
        time.sleep(2)
        used, made = cost(run)
    size = 8 if kind == "udp" else 1
    return (used - resting) / (made * size) * 1e6, made * size / SECONDS


def main() -> None:
    load = os.getloadavg()[0]
    resting = idle()
    rows = [f"| idle | | | {resting / SECONDS * 100:.2f} % of a core |"]
    for kind in KINDS:
        micros, rate = per_probe(100, kind, 0.4, resting)
        rows.append(f"| {kind} | 100 | {rate:.0f} | {micros:.0f} us |")
        print(rows[-1], flush=True)
    for targets in (10, 100, 300, 1000):
        micros, rate = per_probe(targets, "udp", 5.0, resting)
        rows.append(f"| udp | {targets:,} | {rate:.0f} | {micros:.0f} us |")
        print(rows[-1], flush=True)
    parts = [
        "# CPU of a probe in a whole agent",
        "",
        f"Python {sys.version.split()[0]}, load average {load:.1f} before; schedule, probe, ledger, folds and",
        "metrics included; a UDP probe is one",
        "datagram of a train of 8. The first rows have 100 targets at a period of 0.4 s, the last ones grow at 5 s:",
        "with few targets a tick holds few probes, and what is paid is the wake-up. Written by `bench/scale.py`.",
        "",
        "| kind | targets | probes/s | CPU a probe |",
        "|---|---|---|---|",
        *rows,
        "",
    ]
    RESULTS.write_text("\n".join(parts))


if __name__ == "__main__":
    main()
