"""`python -m bench.diagnosis`: plays rows and prints the table; without a row, a moderate sweep that is written to
bench/results/diagnosis.md."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

from bench.diagnosis import limits, report, rows
from bench.diagnosis.cluster import Shape
from bench.diagnosis.judges import JUDGES
from bench.diagnosis.run import Pace
from bench.diagnosis.scoring import Score
from bench.diagnosis.sweep import Job, sweep
from kubesonar.model import Network

_INTRODUCTION = """Virtual clusters with known faults, through the real plan, schedule and ledger at default rates; the
network and its faults share no code with the diagnosis. Written by `scripts/bench diagnosis`. A run is right when
exactly the faults that are there are named, and nothing else; "silent after" counts from the cure; medians, and the
worst run. Pairs are such that probes cross; "covered" is the share of all pairs, zone pairs or nodes that are."""

_LIMITS = """At 20 nodes and default rates: how soon the datagrams that cross one part of a kind prove its loss in nine
of ten runs, against a background of 0.01 %, whoever judges. What is told later than this loses time elsewhere; what is
to be told sooner costs packets in proportion."""

RESULT = Path(__file__).parents[1] / "results/diagnosis.md"
NETWORKS = {"both": (Network.HOST, Network.POD), "host": (Network.HOST,), "pod": (Network.POD,)}


def main() -> None:
    asked = _arguments().parse_args()
    every = asked.every or (1.0 if asked.row else 2.0)
    pace = Pace(every, asked.dense, asked.coarse if asked.row else 3 * asked.coarse, asked.first, asked.warm)
    judges = tuple(asked.judge or ["watch"])
    jobs = [
        Job(str(row), shape, seed, judges, pace)
        for row in map(rows.parse, asked.row or rows.usual())
        for nodes in asked.nodes
        for shape in rows.shapes(row, _shape(asked, nodes))
        for seed in _seeds(asked.seeds or ("0-4" if asked.row else "0-1"))
    ]
    began, scores = time.monotonic(), []
    for score in sweep(jobs, asked.results, asked.workers):
        scores.append(score)
        if asked.verbose:
            print(
                f"{time.monotonic() - began:6.1f} s {score.row} seed {score.seed}: {score.right_at} {score.wrongs}",
                flush=True,
            )
    print(_tables(scores))
    if asked.failures:
        print(report.failures(scores))
    page = asked.page or (None if asked.row else RESULT)
    if page is not None:
        page.write_text(_page(scores))


def _tables(scores: Sequence[Score]) -> str:
    return "\n\n".join((report.by_class(scores), report.by_row(scores), report.false_alarms(scores)))


def _page(scores: Sequence[Score]) -> str:
    commits = ", ".join(sorted({score.commit for score in scores}))
    return (
        "\n\n".join(
            (
                "# How right the diagnosis is",
                _INTRODUCTION,
                f"{len(scores)} runs, at commit {commits}.",
                "## By class",
                report.by_class(scores),
                "## By fault",
                report.by_row(scores),
                "## Where nothing is wrong, and announced change",
                report.false_alarms(scores),
                "## What the probes could tell at best",
                _LIMITS,
                limits.table(Shape()),
            )
        )
        + "\n"
    )


def _shape(asked: argparse.Namespace, nodes: int) -> Shape:
    return Shape(
        nodes=nodes,
        zones=asked.zones,
        k=asked.k,
        networks=NETWORKS[asked.networks],
        families=tuple(map(int, asked.families)),
        background=asked.background,
        bursts=asked.bursts,
        lag=asked.lag,
        starved=asked.starved,
        unread=asked.unread,
        clocks=asked.clocks,
        sizes=tuple(asked.sizes),
    )


def _seeds(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def _numbers(text: str) -> Sequence[int]:
    return [int(word) for word in text.split(",")]


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.diagnosis", description=__doc__)
    add = parser.add_argument
    add("--row", action="append", help='a row as "node loss 0.3", "pair_mtu", "node + api_gone"; may be repeated')
    add("--nodes", type=_numbers, default=[20], help="sizes, with commas between")
    add("--zones", type=int, default=3)
    add("--sizes", type=_numbers, default=[], help="nodes of each zone, with commas between, where they are not alike")
    add("--k", type=int, default=10)
    add("--networks", choices=NETWORKS, default="both")
    add("--families", default="4", help="4, 6 or 46")
    add("--background", type=float, default=0.0, help="loss of every component (a share)")
    add("--bursts", action="store_true", help="half loss for 2 s each 10 minutes in every component")
    add("--lag", type=float, default=0.0, help="longest time (s) until a roster reaches an agent")
    add("--starved", type=float, default=0.0, help="share of agents that stand still once a minute for up to 10 s")
    add("--unread", type=float, default=0.0, help="share of agents whom the observer cannot ask")
    add("--clocks", action="store_true", help="nodes' clocks differ")
    add("--seeds", help="FIRST-LAST; 0-4, or 0-1 of a whole sweep, unless given")
    add("--judge", action="append", choices=JUDGES, help="watch unless given; may be repeated")
    add("--every", type=float, help="seconds between two looks after a change; 1, or 2 in a whole sweep, unless given")
    add("--dense", type=float, default=26.0, help="for so long (s)")
    add("--coarse", type=float, default=5.0, help="seconds between two looks otherwise")
    add("--first", type=float, default=-3.0, help="seconds after the onset of the first look; negative: before it")
    add("--warm", type=float, default=66.0, help="seconds for which agents run before a fault, and up to 10 more")
    add("--workers", type=int, default=1)
    add("--results", type=Path, help="file of JSON lines: what is in it is not played again")
    add("--page", type=Path, help="file for the tables; bench/results/diagnosis.md where no row is named")
    add("--verbose", action="store_true", help="a line for each run")
    add("--failures", action="store_true", help="what was said instead")
    parser.set_defaults(judge=None)
    return parser


if __name__ == "__main__":
    main()
