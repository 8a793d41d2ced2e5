"""A healthy lab with both cores kept busy: nobody may be blamed.

`python -m bench.soak [MINUTES [RATES]]` (default 10 at the rates of a lab; `default` for those of production) writes
bench/results/soak.md. A spinning process for each core runs beside the lab at the same priority, and the verdict is
formed once a second.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from kubesonar.model import Health, Verdict
from tests.scenarios.running_lab import RunningLab, await_good

RESULT = Path(__file__).with_name("results") / "soak.md"
SPIN = "while True: pass"


class Tally:
    """What the verdicts said."""

    def __init__(self) -> None:
        self.verdicts: Counter[str] = Counter()
        self.findings: Counter[str] = Counter()
        self.unknown: Counter[str] = Counter()
        self.local = 0
        self.troubles: set[str] = set()

    def add(self, verdict: Verdict) -> None:
        """Counts one."""
        self.verdicts[verdict.verdict.value] += 1
        self.findings.update(f"{finding.part} {finding.subject}: {finding.fault}" for finding in verdict.findings)
        local = [remark for remark in verdict.unknown if remark.startswith("local: ")]
        self.local += bool(local)
        self.troubles.update(remark.partition(" to ")[0] for remark in local if " from " in remark)
        if verdict.verdict is Health.UNKNOWN:
            self.unknown[verdict.sentence] += 1


@contextmanager
def busy(cores: int) -> Iterator[None]:
    """Keeps so many cores busy."""
    spinning = [subprocess.Popen([sys.executable, "-c", SPIN]) for _ in range(cores)]
    try:
        yield
    finally:
        for process in spinning:
            process.kill()
            process.wait()


def soak(seconds: float, rates: str) -> tuple[Tally, float]:
    """The tally, and how long it really took."""
    tally = Tally()
    with (
        tempfile.TemporaryDirectory() as folder,
        RunningLab(Path(folder), rates=rates) as lab,
        busy(os.cpu_count() or 1),
    ):
        await_good(lab, 120.0)
        start = time.monotonic()
        due = start
        while due < start + seconds:
            tally.add(lab.verdict())
            due += 1.0
            time.sleep(max(0.0, due - time.monotonic()))
        return tally, time.monotonic() - start


def report(tally: Tally, seconds: float, rates: str) -> str:
    """The figures for people."""
    looks = tally.verdicts.total()
    lines = [
        "# A healthy lab on busy cores",
        "",
        f"{datetime.now(UTC):%Y-%m-%d}, Linux {platform.release()}, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}. `python -m bench.soak`: a lab of 5 nodes (10 agents) at its `{rates}` "
        f"rates for {seconds:.0f} s, a process spinning for each core (nice 0), one look a second.",
        "",
        "| | |",
        "|---|---|",
        f"| looks | {looks} |",
        *(f"| verdict {health} | {tally.verdicts[health]} |" for health in ("good", "bad", "unknown")),
        f"| findings | {tally.findings.total()} |",
        f"| looks with a `local` remark | {tally.local} |",
        f"| stretches in which an agent said it could not measure | {len(tally.troubles)} |",
        "",
    ]
    lines += [f"- found {count} times: {what}" for what, count in tally.findings.most_common()]
    lines += [f"- unknown {count} times: {what}" for what, count in tally.unknown.most_common()]
    return "\n".join(lines).rstrip() + "\n"


def main() -> None:
    minutes = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    rates = sys.argv[2] if len(sys.argv) > 2 else "lab"
    text = report(*soak(60 * minutes, rates), rates)
    RESULT.write_text(text)
    print(text)


if __name__ == "__main__":
    main()
