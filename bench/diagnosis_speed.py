"""How much CPU a verdict takes by the size of the mesh: `python -m bench.diagnosis_speed [NODES …]`.

The snapshots are made up, not simulated: every member probes k others at the default rates, datagrams are lost by
chance, and one node loses all, or 2 %, of what it sends and gets. Several looks in a row are timed, 10 s apart, without
reading and decoding, as the collector's judging process makes them: without the sums over the short window, and with
the collection of garbage after each look, not in it. Writes bench/results/diagnosis_speed.md.
"""

from __future__ import annotations

import gc
import os
import platform
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path as File
from random import Random

import msgspec

from kubesonar.core.diagnosis.joining.join import basis
from kubesonar.core.diagnosis.verdict import verdict_on
from kubesonar.core.telemetry.ledger import window
from kubesonar.model import (
    SCHEMA,
    Check,
    Edge,
    Fault,
    Kind,
    Member,
    Minute,
    Network,
    Observation,
    Path,
    Roster,
    Side,
    Snapshot,
    Trial,
    Window,
)

RESULT = File(__file__).parent / "results/diagnosis_speed.md"
START = 1_700_000_040.0
PERIODS = {Kind.UDP: 2.5, Kind.TCP: 10.0, Kind.HTTP: 10.0, Kind.ICMP: 5.0, Kind.MTU: 60.0, Kind.DNS: 10.0}
TRAIN = 8
K = 10
LOSS = 1e-4
"""Share of datagrams lost on each way while all is well."""
LOOKS, STEP = 2, 10.0
MINUTES = 14


class Case(msgspec.Struct, frozen=True):
    """A mesh of so many nodes, of which the first loses that share of all it sends and gets for the last 30 s."""

    nodes: int
    share: float

    @property
    def name(self) -> str:
        if not self.share:
            return "healthy"
        return "one node cut off" if self.share == 1 else f"one node loses {self.share:.0%}"


class Made:
    """One edge with its trials: `both` ends' where it is a train's."""

    def __init__(self, source: Member, target: Member | str, kind: Kind, path: Path, rng: Random) -> None:
        self.source, self.kind = source, kind
        name, address = (target, "10.96.0.10") if isinstance(target, str) else (target.name, target.addresses[0])
        self.ends = {source.node, name if isinstance(target, str) else target.node}
        check = Check(f"{kind}/{path}/{name}", kind, path, name, address, 7473, PERIODS[kind], 1.0, "x. A")
        self.latest = Observation(check, source.name, source.network, START, received=1)
        asked = Check(f"udp/from/{source.name}", Kind.UDP, path, source.name, source.addresses[0])
        self.recorded = Observation(asked, name, source.network, START, side=Side.RESPONDER, received=1)
        self.trials: list[Trial] = []
        self.records: list[Trial] = []
        self.pasts: tuple[tuple[Minute, ...], tuple[Minute, ...]] = ((), ())
        self._next = START - 62 + rng.random() * PERIODS[kind]
        self._number = 1000
        if kind is Kind.UDP:
            self._remember(rng)

    def _remember(self, rng: Random) -> None:
        mine, theirs = [], []
        for index in range(MINUTES):
            at = START // 60 * 60 - 60 * (MINUTES - index + 1)
            lost = rng.random() < 24 * 2 * TRAIN * LOSS
            seen = TRAIN - rng.randrange(2)
            bad = (Trial(at + 9, index, TRAIN, TRAIN - 1, seen, 0.001, 0.0, None),) if lost else ()
            there = lost and seen < TRAIN
            record = (Trial(at + 9, index, TRAIN - 1, TRAIN - 1, TRAIN, 0.0, 0.0, None),) if there else ()
            mine.append(Minute(at, 24, bad))
            theirs.append(Minute(at, 24, record))
        self.pasts = (tuple(mine), tuple(theirs))

    def until(self, now: float, sick: str, share: float, since: float, rng: Random) -> None:
        """Makes trials up to that time and forgets those older than a minute."""
        train = self.kind is Kind.UDP
        while self._next < now:
            at, self._next = self._next, self._next + PERIODS[self.kind]
            self._number += 1
            lost = share if sick in self.ends and at >= since else 0.0
            count = TRAIN if train else 1
            chance = 1 - (1 - LOSS) * (1 - lost)
            arrived = (
                sum(rng.random() >= chance for _ in range(count))
                if chance > LOSS
                else count - (rng.random() < count * LOSS)
            )
            got = sum(rng.random() >= chance for _ in range(arrived)) if chance > LOSS else arrived
            fault = None if got else Fault.TIMEOUT
            self.trials.append(
                Trial(at, self._number if train else 0, count, got, arrived if got else 0, 0.001, 0.0, fault)
            )
            if train and arrived:
                self.records.append(Trial(at, self._number, arrived, arrived, count, 0.0, 0.0, None))
        self.trials = [trial for trial in self.trials if trial.at >= now - 62]
        self.records = [trial for trial in self.records if trial.at >= now - 62]


class Fleet:
    """All members with their edges."""

    def __init__(self, case: Case) -> None:
        self.rng = Random(7)
        self.case = case
        self.members = [
            Member(
                f"node-{n}-{network}",
                f"node-{n}",
                (f"10.{n // 60000}.{n // 250}.{n % 250 + 1}",),
                7473,
                network,
                "abc"[n % 3],
                1,
            )
            for n in range(case.nodes)
            for network in (Network.POD, Network.HOST)
        ]
        self.edges: dict[str, list[Made]] = {member.name: [] for member in self.members}
        self.asked: dict[str, list[Made]] = {member.name: [] for member in self.members}
        self.roster = Roster("1", tuple(self.members))
        for index, member in enumerate(self.members):
            for made in self._made(index, member):
                self.edges[member.name].append(made)

    def _made(self, index: int, member: Member) -> Iterator[Made]:
        count = len(self.members)
        path = Path(member.network.value)
        for step in self.rng.sample(range(1, self.case.nodes), min(K, self.case.nodes - 1)):
            other = self.members[(index + 2 * step) % count]
            for kind in (Kind.UDP, Kind.TCP, Kind.HTTP, Kind.ICMP, Kind.MTU):
                made = Made(member, other, kind, path, self.rng)
                if kind is Kind.UDP:
                    self.asked[other.name].append(made)
                yield made
        yield Made(member, "dns-service", Kind.DNS, Path.DNS_SERVICE, self.rng)

    def snapshots(self, now: float) -> list[Snapshot]:
        """What agents show at that time."""
        for edges in self.edges.values():
            for made in edges:
                made.until(now - 1.0, "node-0", self.case.share, START - 30, self.rng)
        return [self._snapshot(member, now) for member in self.members]

    def _snapshot(self, member: Member, now: float) -> Snapshot:
        edges = [_edge(made.latest, made.trials, made.pasts[0], now) for made in self.edges[member.name]]
        edges += [_edge(made.recorded, made.records, made.pasts[1], now) for made in self.asked[member.name]]
        return Snapshot(SCHEMA, member, now, START - 5000, self.roster, tuple(edges))


def _edge(latest: Observation, trials: list[Trial], past: tuple[Minute, ...], now: float) -> Edge:
    return Edge(latest, Window(10.0), window(trials, now, 60.0), tuple(trials), past=past)


class Timed(msgspec.Struct, frozen=True):
    """What it took (s of CPU, and that of collecting garbage afterwards; MiB at most), and what was said."""

    case: Case
    edges: int
    looks: list[float]
    garbage: float
    memory: int
    said: list[str]


def timed(case: Case) -> Timed:
    """Times some looks in a row."""
    fleet = Fleet(case)
    looks, garbage, said, edges = [], [], [""], 0
    gc.disable()
    for look in range(LOOKS):
        now = START + look * STEP
        snapshots = fleet.snapshots(now)
        edges = sum(len(snapshot.edges) for snapshot in snapshots)
        gc.collect()
        began = time.process_time()
        verdict = verdict_on(basis(snapshots, {}, now), lambda at: f"{at - START:+.0f} s")
        looks.append(time.process_time() - began)
        began = time.process_time()
        gc.collect(0)
        garbage.append(time.process_time() - began)
        said = [verdict.verdict.value, *(finding.sentence for finding in verdict.findings)]
    return Timed(case, edges, looks, max(garbage), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, said)


_HEAD = """# CPU of a verdict

Written by `python -m bench.diagnosis_speed 300 1000 5000`: snapshots as agents make them at default rates (k = {k},
both networks, all kinds of checks; an edge is what one member keeps of one check, or of another member's trains),
{loss:.2%} of datagrams lost everywhere, and a fault that is 30 s old. Seconds of CPU in one process of plain Python, of
the first look and of one 10 s later; reading and decoding are not in them. Memory is that of the whole process, with
all snapshots. {cpu} cores with other work on them, Python {python}.

| nodes | edges | what is wrong | first look (s) | next look (s) | garbage after it (s) | memory (MiB) | told |
|---|---|---|---|---|---|---|---|
"""


def main(sizes: Sequence[int]) -> None:
    cases = [Case(nodes, share) for nodes in sizes for share in (0.0, 0.02, 1.0)]
    with ProcessPoolExecutor(1, max_tasks_per_child=1, mp_context=get_context("spawn")) as pool:
        rows = [_row(row) for row in pool.map(timed, cases)]
    head = _HEAD.format(k=K, loss=LOSS, cpu=os.cpu_count(), python=platform.python_version())
    page = head + "\n".join(rows) + "\n"
    RESULT.write_text(page)
    print(page)


def _row(row: Timed) -> str:
    case = row.case
    figures = f"{row.looks[0]:.2f} | {row.looks[1]:.2f} | {row.garbage:.2f} | {row.memory:,}"
    return f"| {case.nodes:,} | {row.edges:,} | {case.name} | {figures} | {row.said[-1]} |"


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or [100, 1000])
