"""One run: a virtual cluster, the faults of a row, a judge that is asked, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random

import msgspec

from bench.diagnosis.appearance import Appearance
from bench.diagnosis.cluster import Shape
from bench.diagnosis.faults import FAULTS, Injection, Making, crossed_pairs
from bench.diagnosis.judges import JUDGES
from bench.diagnosis.rows import MANNERS, Row
from bench.diagnosis.scoring import Score, Second, compared, score
from bench.diagnosis.simulation import Simulation
from bench.diagnosis.stories import STORIES
from bench.diagnosis.truth import Told, Truth, right

_COUNTED = 30.0
"""Seconds before and after the onset over which packets are counted."""


class Pace(msgspec.Struct, frozen=True):
    """When the judge is asked: from `first` seconds after the onset on (negative: before it), each `fine` seconds for
    `dense` seconds after a change, then each `coarse`. The agents run for `warm` to `warm` + 10 s before the onset."""

    fine: float = 1.0
    dense: float = 26.0
    coarse: float = 5.0
    first: float = -3.0
    warm: float = 66.0


def play(row: Row, shape: Shape, seed: int, judges: Sequence[str], pace: Pace) -> list[Score]:
    """Plays one run before these judges, side by side on the same input; returns a score of each."""
    rng = Random(f"{row} {seed}")
    sim = Simulation(shape, seed)
    asked = {name: JUDGES[name]() for name in judges}
    onset = pace.warm + rng.uniform(0.0, 10.0)
    cure = onset + row.hold
    end = cure + row.tail
    usual = _marked(sim, onset - _COUNTED, onset)
    sim.run(pace.warm)
    taken: set[str] = set()
    faults = row.drawn(rng)
    injections = [_inject(sim, rng, fault.kind, fault.share, fault.manner, cure, taken) for fault in faults]
    if row.story:
        STORIES[row.story](sim, rng, onset)
    busy = _marked(sim, onset, onset + _COUNTED)
    for injection in injections:
        sim.at(onset, injection.begin)
        sim.at(cure, injection.heal)
    truths = [injection.truth for injection in injections]
    shown = Appearance(sim) if all(fault.share >= 1 and fault.manner == MANNERS[0] for fault in faults) else None
    seconds: dict[str, list[Second]] = {name: [] for name in judges}
    for when in _times(onset, cure, end, pace):
        sim.run(when)
        read = sim.read()
        for name, judge in asked.items():
            told = judge.step(sim.cluster.epoch + when, read.snapshots, read.unread)
            seconds[name].append(_second(when - onset, told, truths, shown))
    coverage = _coverage(sim)
    found = [score(str(row), shape, seed, name, truths, seconds[name], row.hold, coverage) for name in judges]
    cluster, node = _dearer(usual, busy)
    return [msgspec.structs.replace(each, cluster_packets=cluster, node_packets=node) for each in found]


def _second(age: float, told: Sequence[Told], truths: Sequence[Truth], shown: Appearance | None) -> Second:
    """What was told, with what no probe tells it from where nothing gets through the faults."""
    second, named = Second(age, tuple(told)), compared(told)
    if shown is None or not truths or age < 0 or right(named, truths):
        return second
    return second._replace(alike=shown.alike(named, truths), stand_ins=shown.stand_ins(named, truths))


def _marked(sim: Simulation, start: float, end: float) -> dict[str, float]:
    """Will hold the packets of each node between those times, once the second has passed."""
    counted: dict[str, float] = {}

    def begin() -> None:
        counted.update({node: -packets for node, packets in sim.packets.items()})

    def stop() -> None:
        counted.update({node: packets + counted[node] for node, packets in sim.packets.items()})

    sim.at(start, begin)
    sim.at(end, stop)
    return counted


def _dearer(usual: dict[str, float], busy: dict[str, float]) -> tuple[float, float]:
    """How many times the usual packets the cluster sent, and the node that sent most beyond its usual."""
    ratios = [busy[node] / packets for node, packets in usual.items() if packets]
    return sum(busy.values()) / sum(usual.values()), max(ratios)


def _inject(
    sim: Simulation, rng: Random, kind: str, share: float, manner: str, cure: float, taken: set[str]
) -> Injection:
    return FAULTS[kind](Making(sim, rng, share, manner, cure, taken))


def _times(onset: float, cure: float, end: float, pace: Pace) -> Iterator[float]:
    yield from (onset + age for age in (-3.0, -2.0, -1.0) if age >= pace.first)
    for start, stop in ((onset, cure), (cure, end)):
        age = max(pace.fine, pace.first) if start == onset else pace.fine
        while start + age < stop:
            yield start + age
            age += pace.fine if age < pace.dense else pace.coarse


def _coverage(sim: Simulation) -> dict[str, float]:
    """By part, the share of subjects that members' probes cross."""
    pairs = crossed_pairs(sim, (), 0, True)
    nodes, zones = sim.cluster.nodes, sim.cluster.zones
    zone_of = sim.cluster.zone_of
    crossed_zones = {(zone_of[a], zone_of[b]) for a, b in pairs if zone_of[a] != zone_of[b]}
    return {
        "node": len({node for pair in pairs for node in pair}) / len(nodes),
        "pair": len(pairs) / max(1, len(nodes) * (len(nodes) - 1)),
        "zone_pair": len(crossed_zones) / (len(zones) * (len(zones) - 1)) if len(zones) > 1 else 1.0,
    }
