"""`python -m bench.diagnosis.windows RESULTS`: how often something is told where nothing is wrong.

Plays what is not in RESULTS (JSON lines) yet, a block of windows at a time, and writes bench/results/healthy_windows.md
of all that is there. Stopped at any time, it goes on from there. Each block has a cluster of its own, of which it draws
the losses anew (`redrawn`); a window is one look without memory, as `kubesonar check` has it.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from random import Random

import msgspec

from bench.diagnosis.cluster import Shape
from bench.diagnosis.redrawn import Redrawn
from bench.diagnosis.report import upper
from bench.diagnosis.simulation import Simulation
from bench.diagnosis.sweep import commit
from kubesonar.core.diagnosis.joining.join import basis
from kubesonar.core.diagnosis.verdict import verdict_on

RESULT = Path(__file__).parents[1] / "results/healthy_windows.md"

_RUNNING = (70.0, 150.0, 400.0, 1030.0)
"""Seconds for which the agents of a cluster have been running, in turn: in the last they remember as much as ever."""

_INTRODUCTION = """Clusters in which nothing is wrong, at default rates, both networks, three zones (two of two nodes).
Each component that packets cross (links, pod networks, pairs, zone pairs) loses the same share of packets, each alone;
"bursts": and half of them for 2 s in the mean each ten minutes. "unread": a fifth of the agents cannot be read and a
tenth stand still once a minute for up to ten seconds. A window is one look, without memory of looks before, at agents
that have been running for one to seventeen minutes, by the seed; the losses of all that they remember were drawn anew.
A watch tells what two looks in a row say. The bound is that of 95 % (3 of n where none was told). Drawn by
`python -m bench.diagnosis.windows`, which shares neither the network nor what it loses with the diagnosis."""


_COLUMNS = (
    "nodes",
    "lost by each",
    "windows",
    "with a finding",
    "at most, of 100,000",
    "seeds",
    "CPU of a window (ms)",
)


class Usual(msgspec.Struct, frozen=True):
    """What is usual in a cluster of so many nodes: the share of packets that each component loses, and whether some are
    lost in bursts or some agents are unread or starved."""

    nodes: int
    loss: float
    bursts: bool = False
    unread: bool = False

    @property
    def shape(self) -> Shape:
        """The shape of its cluster, without the losses, which are drawn."""
        return Shape(nodes=self.nodes, starved=0.1 * self.unread, unread=0.2 * self.unread, clocks=self.unread)


class Block(msgspec.Struct, frozen=True):
    """Windows of one cluster: how many were drawn, and of those with findings the number and the sentences."""

    usual: Usual
    seed: int
    windows: int
    told: tuple[tuple[int, tuple[str, ...]], ...] = ()
    seconds: float = 0.0
    commit: str = ""


LOSSES = (0.0, 1e-4, 1e-3, 3e-3)
SIZES = {2: 50, 3: 50, 5: 50, 20: 10}
"""Windows of one block, by the number of nodes: a look at 20 costs twenty times one at 3."""

USUAL = tuple(
    Usual(nodes, loss, **manner)
    for nodes in SIZES
    for manner in ({}, {"bursts": True}, {"unread": True})
    for loss in LOSSES
    if loss or manner
)
"""All that is played: without any loss all windows were the same, unless there are bursts or unread agents."""


def play(block: Block) -> Block:
    """Returns the block with what was told."""
    usual, told = block.usual, []
    redrawn = _redrawn(usual.shape, block.seed)
    began = time.process_time()
    for number in range(block.windows):
        found = redrawn.window(Random(f"{usual} {block.seed} {number}"), usual.loss, bursts=usual.bursts)
        verdict = verdict_on(found, lambda at: time.strftime("%H:%M:%S", time.gmtime(at)))
        if verdict.findings:
            told.append((number, tuple(finding.sentence for finding in verdict.findings)))
    seconds = round(time.process_time() - began, 1)
    return msgspec.structs.replace(block, told=tuple(told), seconds=seconds, commit=commit())


@lru_cache(maxsize=1)
def _redrawn(shape: Shape, seed: int) -> Redrawn:
    """Simulates a cluster, which costs as much as many windows, once for all losses."""
    simulation = Simulation(shape, seed)
    simulation.run(_RUNNING[seed % len(_RUNNING)])
    read = simulation.read()
    now = simulation.cluster.epoch + simulation.now
    return Redrawn(basis(read.snapshots, read.unread, now, over_network=True), simulation.cluster.places)


def wanted(rounds: range, usual: Sequence[Usual]) -> Iterator[Block]:
    """Returns the blocks of these rounds, one of each kind in turn, so that whatever was played is of all kinds."""
    for seed in rounds:
        yield from (Block(each, seed, SIZES[each.nodes]) for each in usual)


def load(results: Path) -> list[Block]:
    """Returns what was played."""
    lines = results.read_bytes().splitlines() if results.exists() else ()
    return [msgspec.json.decode(line, type=Block) for line in lines]


def page(blocks: Iterable[Block]) -> str:
    """Returns the page on all that was played."""
    groups: dict[Usual, list[Block]] = {}
    for block in blocks:
        groups.setdefault(block.usual, []).append(block)
    kinds = sorted(groups, key=lambda usual: (usual.nodes, usual.bursts, usual.unread, usual.loss))
    lines = [_line(_words(usual), groups[usual]) for usual in kinds]
    every = [block for group in groups.values() for block in group]
    commits = ", ".join(sorted({block.commit for block in every}))
    said = Counter(sentence for block in every for _, sentences in block.told for sentence in sentences)
    return "\n".join(
        (
            "# Windows in which nothing is wrong\n",
            f"{_INTRODUCTION}\n",
            f"Commits {commits}.\n",
            f"| {' | '.join(_COLUMNS)} |",
            f"|{'---|' * len(_COLUMNS)}",
            *lines,
            _line("all |", every),
            "\n## What was said\n",
            *([f"- {count} times: {sentence}" for sentence, count in said.most_common()] or ["Nothing."]),
            "",
        )
    )


def _words(usual: Usual) -> str:
    manner = [*(["bursts"] if usual.bursts else []), *(["unread"] if usual.unread else [])]
    return f"{usual.nodes} | {', '.join([f'{100 * usual.loss:g} %', *manner])}"


def _line(words: str, blocks: Sequence[Block]) -> str:
    windows, told = sum(block.windows for block in blocks), sum(len(block.told) for block in blocks)
    seeds = sorted({block.seed for block in blocks})
    milliseconds = 1000 * sum(block.seconds for block in blocks) / windows
    most = 100_000 * upper(told) / windows
    return f"| {words} | {windows:,} | {told} | {most:,.0f} | {seeds[0]} to {seeds[-1]} | {milliseconds:.0f} |"


def main() -> None:
    asked = _arguments().parse_args()
    blocks = load(asked.results)
    done = {(block.usual, block.seed) for block in blocks}
    usual = [each for each in USUAL if asked.nodes is None or each.nodes in asked.nodes]
    for block in wanted(range(asked.first, asked.first + asked.rounds), usual):
        if (block.usual, block.seed) not in done:
            blocks.append(play(block))
            with asked.results.open("ab") as file:
                file.write(msgspec.json.encode(blocks[-1]) + b"\n")
    if blocks:
        RESULT.write_text(page(blocks))


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench.diagnosis.windows", description=__doc__)
    parser.add_argument("results", type=Path, help="file of JSON lines: what is in it is not played again")
    parser.add_argument("--first", type=int, default=1, help="seed of the first round")
    parser.add_argument(
        "--rounds", type=int, default=60, help="blocks of each kind, 0 to write the page only; 60 are 106,000 windows"
    )
    parser.add_argument("--nodes", type=int, action="append", help="only clusters of that size; may be repeated")
    return parser


if __name__ == "__main__":
    main()
