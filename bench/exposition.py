"""What a line of /metrics costs, beside prometheus_client's generate_latest with the same values.

Both render in turn, in one process, so that the machine's moods hit both; the median of the rounds counts. Writes
bench/results/exposition.md.
"""

from __future__ import annotations

import gc
import platform
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import prometheus_client
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics import exposition as their_openmetrics

from kubesonar.core.telemetry.instruments import Histograms
from kubesonar.views.metrics.exposition import Exposition, Metric, Series

RESULTS = Path(__file__).parent / "results/exposition.md"
ROUNDS = 15
BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 7.5, 10.0)
NAMES = ("target", "kind", "path")


def series(count: int) -> tuple[list[tuple[Metric, Series]], CollectorRegistry]:
    """The same histogram in both."""
    registry = CollectorRegistry()
    theirs = prometheus_client.Histogram("bench_seconds", "Bench.", NAMES, buckets=BOUNDS, registry=registry)
    ours = Histograms(BOUNDS, limit=count)
    for number in range(count):
        labels = (f"node-{number}.example", "http", "pod")
        child = theirs.labels(*labels)
        for step in range(5):
            ours.add(labels, 0.003 * number * step % 12)
            child.observe(0.003 * number * step % 12)
    return [(Metric("bench_seconds", "histogram", "Bench.", NAMES, "seconds"), ours)], registry


def timed(work: Callable[[], bytes]) -> tuple[float, int]:
    """CPU seconds and lines of one rendering."""
    start = time.process_time()
    text = work()
    return time.process_time() - start, sum(not line.startswith(b"#") for line in text.splitlines())


def per_line(work: Callable[[], bytes]) -> float:
    """Microseconds of CPU a line."""
    spent, lines = timed(work)
    return spent / lines * 1e6


def pairs(count: int) -> dict[str, tuple[Callable[[], bytes], Callable[[], bytes]]]:
    """Ours and theirs, by format."""
    families, registry = series(count)
    exposition = Exposition()
    return {
        "text 0.0.4": (
            lambda: exposition.render(families),
            lambda: prometheus_client.generate_latest(registry),
        ),
        "OpenMetrics": (
            lambda: exposition.render(families, openmetrics=True),
            lambda: bytes(their_openmetrics.generate_latest(registry)),  # type: ignore[no-untyped-call]
        ),
    }


def rows() -> list[str]:
    """One row a size and format."""
    found = []
    for count in (100, 1000):
        for name, (ours, theirs) in pairs(count).items():
            ours()
            measured = [(per_line(ours), per_line(theirs)) for _ in range(ROUNDS)]
            mine, other = (median(column) for column in zip(*measured, strict=True))
            ratio = median(other / mine for mine, other in measured)
            found.append(f"| {name} | {count} | {timed(ours)[1]} | {mine:.2f} | {other:.1f} | {ratio:.0f} |")
    return found


def main() -> None:
    """Measures, prints and writes."""
    gc.disable()
    lines = [
        "# A line of /metrics",
        "",
        "CPU microseconds a line, a histogram of 12 buckets and 3 labels; median of "
        f"{ROUNDS} rounds that alternate. Made by `scripts/bench exposition`.",
        "",
        f"Python {platform.python_version()}, prometheus_client beside it in the same process.",
        "",
        "| format | series | lines | ours | prometheus_client | ratio |",
        "|---|---|---|---|---|---|",
        *rows(),
    ]
    text = "\n".join(lines) + "\n"
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(text)
    sys.stdout.write(text)


if __name__ == "__main__":
    main()
