"""How much CPU a verdict takes by the size of the mesh: `python -m bench.diagnosis_speed [NODES …]`.

The snapshots are made up, not simulated: every member probes k others at the default rates, datagrams are lost by
chance, and one node loses all, or 2 %, of what it sends and gets; in small meshes also 30 %, alone and beside two other
nodes that lose 30 % of what they send each other, and once all lose 0.3 %. Looks are as far apart as a collector's, and
an edge of which an agent reported nothing since the last look is the same object again, as in a collector's mirrors.
What is timed is what the collector's judging process does with the snapshots, with the collection of garbage after each
look, not in it. Writes bench/results/diagnosis_speed.md.
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
from statistics import median

import msgspec

from kubesonar.apps.client.gather import Gathered, one_of_each
from kubesonar.core.diagnosis.joining.join import basis
from kubesonar.core.diagnosis.joining.sifted_source import SiftedSources
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
SMALL = 20
"""Nodes up to which several lossy faults are played: there a look costs most for its size."""

LOOKS = 6
"""The first knows nothing from before."""

KNOWN_AFTER = 1.0
"""Seconds after a trial's beginning at which both ends know what became of it."""

MINUTES = 14


class Case(msgspec.Struct, frozen=True):
    """A mesh of so many nodes. For the last 30 s the first loses that `share` of all that it sends and gets, and `pair`
    is lost between the second and the third; `background` is lost on each way all the time."""

    nodes: int
    share: float = 0.0
    pair: float = 0.0
    background: float = LOSS

    @property
    def name(self) -> str:
        if not self.share:
            return "healthy" if self.background == LOSS else f"all lose {self.background:.1%}"
        one = "one node cut off" if self.share == 1 else f"one node loses {self.share:.0%}"
        return f"{one}, two others of what they send each other" if self.pair else one

    def lost(self, ends: set[str]) -> float:
        """The share that is lost besides between those ends."""
        return max(self.share if "node-0" in ends else 0.0, self.pair if ends == {"node-1", "node-2"} else 0.0)


def cases(nodes: int) -> list[Case]:
    """What is played at that size."""
    small = [Case(nodes, background=0.003), Case(nodes, 0.3), Case(nodes, 0.3, 0.3)] if nodes <= SMALL else []
    return [Case(nodes), *small, Case(nodes, 0.02), Case(nodes, 1.0)]


class Kept:
    """What one end keeps of an edge, which stays the same object until a trial is added."""

    def __init__(self, latest: Observation) -> None:
        self.trials: list[Trial] = []
        self.past: tuple[Minute, ...] = ()
        self._edge = Edge(latest, Window(10.0), Window(60.0))
        self._newest = 0.0

    def edge(self, at: float) -> Edge:
        """The edge as of a report at that time."""
        newest = next((trial.at for trial in reversed(self.trials) if trial.at <= at - KNOWN_AFTER), 0.0)
        if newest != self._newest:
            self._newest = newest
            trials = [trial for trial in self.trials if at - 62 <= trial.at <= newest]
            long = window(trials, at, 60.0)
            self._edge = Edge(self._edge.latest, Window(10.0), long, tuple(trials), past=self.past)
        return self._edge


class Made:
    """One edge with its trials: both ends' where it is a train's."""

    def __init__(
        self, source: Member, target: Member | str, kind: Kind, path: Path, rng: Random, began: float, case: Case
    ) -> None:
        self.source, self.kind, self.case = source, kind, case
        name, address = (target, "10.96.0.10") if isinstance(target, str) else (target.name, target.addresses[0])
        self.ends = {source.node, name if isinstance(target, str) else target.node}
        check = Check(f"{kind}/{path}/{name}", kind, path, name, address, 7473, PERIODS[kind], 1.0, "x. A")
        self.mine = Kept(Observation(check, source.name, source.network, START, received=1))
        asked = Check(f"udp/from/{source.name}", Kind.UDP, path, source.name, source.addresses[0])
        self.theirs = Kept(Observation(asked, name, source.network, START, side=Side.RESPONDER, received=1))
        self._next = began + rng.random() * PERIODS[kind]
        self._number = 1000
        if kind is Kind.UDP:
            self._remember(rng, began)

    def _remember(self, rng: Random, began: float) -> None:
        mine, theirs = [], []
        for index in range(MINUTES):
            at = began // 60 * 60 - 60 * (MINUTES - index)
            lost = rng.random() < 24 * 2 * TRAIN * self.case.background
            seen = TRAIN - rng.randrange(2)
            bad = (Trial(at + 9, index, TRAIN, TRAIN - 1, seen, 0.001, 0.0, None),) if lost else ()
            there = lost and seen < TRAIN
            record = (Trial(at + 9, index, TRAIN - 1, TRAIN - 1, TRAIN, 0.0, 0.0, None),) if there else ()
            mine.append(Minute(at, 24, bad))
            theirs.append(Minute(at, 24, record))
        self.mine.past, self.theirs.past = tuple(mine), tuple(theirs)

    def until(self, now: float, since: float, rng: Random) -> None:
        """Makes trials up to that time and forgets those that no report tells any more."""
        train = self.kind is Kind.UDP
        while self._next < now:
            at, self._next = self._next, self._next + PERIODS[self.kind]
            self._number += 1
            lost, usual = self.case.lost(self.ends) if at >= since else 0.0, self.case.background
            count = TRAIN if train else 1
            chance = 1 - (1 - usual) * (1 - lost)
            arrived = (
                sum(rng.random() >= chance for _ in range(count)) if lost else count - (rng.random() < count * usual)
            )
            got = sum(rng.random() >= chance for _ in range(arrived)) if lost else arrived
            fault = None if got else Fault.TIMEOUT
            self.mine.trials.append(
                Trial(at, self._number if train else 0, count, got, arrived if got else 0, 0.001, 0.0, fault)
            )
            if train and arrived:
                self.theirs.trials.append(Trial(at, self._number, arrived, arrived, count, 0.0, 0.0, None))
        for kept in (self.mine, self.theirs):
            kept.trials = [trial for trial in kept.trials if trial.at >= now - 90]


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
        self.interval = max(2.0, len(self.members) / 500)
        """Seconds between two reports of one agent, as the collector asks for."""
        self.since = START - self.interval - 30
        for index, member in enumerate(self.members):
            for made in self._made(index, member):
                self.edges[member.name].append(made)

    def _made(self, index: int, member: Member) -> Iterator[Made]:
        count = len(self.members)
        path = Path(member.network.value)
        began = START - self.interval - 62
        for step in self.rng.sample(range(1, self.case.nodes), min(K, self.case.nodes - 1)):
            other = self.members[(index + 2 * step) % count]
            for kind in (Kind.UDP, Kind.TCP, Kind.HTTP, Kind.ICMP, Kind.MTU):
                made = Made(member, other, kind, path, self.rng, began, self.case)
                if kind is Kind.UDP:
                    self.asked[other.name].append(made)
                yield made
        yield Made(member, "dns-service", Kind.DNS, Path.DNS_SERVICE, self.rng, began, self.case)

    def snapshots(self, now: float) -> Gathered:
        """What a collector has of the agents at that time, as of the oldest of their last reports."""
        for edges in self.edges.values():
            for made in edges:
                made.until(now, self.since, self.rng)
        return Gathered([self._snapshot(index, member, now) for index, member in enumerate(self.members)], {})

    def _snapshot(self, index: int, member: Member, now: float) -> Snapshot:
        reported = now - (now - START + index * self.interval / len(self.members)) % self.interval
        edges = [made.mine.edge(reported) for made in self.edges[member.name]]
        edges += [made.theirs.edge(reported) for made in self.asked[member.name]]
        return Snapshot(SCHEMA, member, now - self.interval, START - 5000, self.roster, tuple(edges))


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
    fleet, before = Fleet(case), SiftedSources()
    looks, garbage, said, edges = [], [], [""], 0
    gc.disable()
    for look in range(LOOKS):
        now = START + look * period(case.nodes)
        at = now - fleet.interval
        read = fleet.snapshots(now)
        edges = sum(len(snapshot.edges) for snapshot in read.snapshots)
        gc.collect()
        began = time.process_time()
        gathered = one_of_each(read)
        verdict = verdict_on(basis(gathered.snapshots, gathered.unread, at, before), lambda at: f"{at - START:+.0f} s")
        looks.append(time.process_time() - began)
        began = time.process_time()
        gc.collect(0)
        garbage.append(time.process_time() - began)
        said = [verdict.verdict.value, *(finding.sentence for finding in verdict.findings)]
    return Timed(case, edges, looks, max(garbage), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, said)


def period(nodes: int) -> float:
    """Seconds between two looks of a collector."""
    return 1.0 if nodes <= 1000 else 10.0


_HEAD = """# CPU of a verdict

Written by `python -m bench.diagnosis_speed {sizes}`: snapshots as a collector has them of agents at default rates
(k = {k}, both networks, all kinds of checks; an edge is what one member keeps of one check, or of another member's
trains), {loss:.2%} of datagrams lost everywhere, and a fault that is 30 s old at the first look. Agents report every
2 s, 4 s at 1,000 nodes, 20 s at 5,000; looks are 1 s apart, 10 s at 5,000. Seconds of CPU in one process of plain
Python: of the first look, which knows nothing from before, and of the {more} after it, which sift again only what told
something new, the median and the longest; reading and decoding are not in them. Memory is that of the whole process,
with all snapshots. {cpu} cores with other work on them (load {load:.0f}), Python {python}.

| nodes | edges | what is wrong | first look (s) | next looks (s) | garbage after one (s) | memory (MiB) | told |
|---|---|---|---|---|---|---|---|
"""


def main(sizes: Sequence[int]) -> None:
    with ProcessPoolExecutor(1, max_tasks_per_child=1, mp_context=get_context("spawn")) as pool:
        rows = [_row(row) for row in pool.map(timed, [case for nodes in sizes for case in cases(nodes)])]
    machine = {"cpu": os.cpu_count(), "load": os.getloadavg()[1], "python": platform.python_version()}
    head = _HEAD.format(sizes=" ".join(map(str, sizes)), k=K, loss=LOSS, more=LOOKS - 1, **machine)
    page = head + "\n".join(rows) + "\n"
    RESULT.write_text(page)
    print(page)


def _row(row: Timed) -> str:
    case = row.case
    later = f"{median(row.looks[1:]):.3f}, {max(row.looks[1:]):.3f}"
    figures = f"{row.looks[0]:.3f} | {later} | {row.garbage:.2f} | {row.memory:,}"
    return f"| {case.nodes:,} | {row.edges:,} | {case.name} | {figures} | {row.said[-1]} |"


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or [3, 20, 100, 1000])
