"""A part that packets enter and leave: which of the two ways is sick, or both, each at a rate of its own."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from math import log
from typing import NamedTuple

import msgspec

from kubesonar.core.diagnosis.evidence import Cell
from kubesonar.core.diagnosis.inference.belief import Belief
from kubesonar.core.diagnosis.inference.likelihood import gain_of
from kubesonar.core.diagnosis.inference.trial_model import RATES, Load, Odds, lossy
from kubesonar.core.diagnosis.parts.shares import Share, sides
from kubesonar.core.diagnosis.parts.traversal import Aspect

EXTRA_RATE = 2.0
"""Gain that a second rate must have (nats) before the two ways are said to differ."""

_PACKETS = 0.25
"""Weight of the packets lost within a train, beside whether it is bad at all, where losses come in bursts: as much as
each alone, and a burst counts as many losses; nothing, and above 20 % all rates look alike."""

_ALONE = 0.8
"""Share of the trains that are bad, of those that were had each packet been lost alone, from which on losses are held
not to come in bursts. Lower, and short bursts count as many losses; higher, and with few trains none are alone."""

_LEAST = 1e-3
"""Loss of packets on a way that is well, at least."""

_SWEEPS = 3
_STEPS = (0.0, *RATES)


class TwoRates(msgspec.Struct, frozen=True):
    """The rates of loss on the way in and on the way out that explain most, and how much (nats)."""

    inward: float
    outward: float
    gain: float

    def crossing(self, cell: Cell, node: str, share: Share | None) -> tuple[Load, float]:
        """Return how the trials of that cell, of which that share crosses that node, do so, and the rate at which it
        loses their packets."""
        way = _way(cell, node, share)
        return way.load, _lost(way.enters, way.leaves, self.inward, self.outward)


class _Way(NamedTuple):
    """The load of trials on the part, and whether they enter and leave it."""

    load: Load
    enters: bool
    leaves: bool


def _way(cell: Cell, node: str, share: Share | None) -> _Way:
    load = Load(cell.packets)
    if share is not None:
        load = Load.shared(cell.packets, 1, share(cell.route, node))
    return _Way(load, *sides(cell.route, node))


class WayCounts:
    """The trials through the newest `bins` that cross a node, or so much of one as that share: counted by the way and
    by what is expected."""

    def __init__(self, beliefs: Iterable[Belief], node: str, share: Share | None, bins: int) -> None:
        self._counts: dict[tuple[_Way, Odds], list[int]] = {}
        for belief in beliefs:
            self._count(belief, _way(belief.cell, node, share), bins)
        self._packets = 1.0 if self._lost_alone() else _PACKETS
        """The weight of a packet that was lost within a train."""
        self._by_sides: dict[tuple[bool, bool], list[tuple[Load, Odds, list[int]]]] = {}
        for (way, expected), count in self._counts.items():
            self._by_sides.setdefault((way.enters, way.leaves), []).append((way.load, expected, count))
        self._gains: dict[tuple[bool, bool, float], float] = {}

    def _count(self, belief: Belief, way: _Way, newest: int) -> None:
        for bins, odds, less in belief.expectation.stretches(way.load):
            alike = slice(bins.start, min(bins.stop, newest))
            if any(belief.total[alike]):
                kind = way._replace(load=less) if less else way
                count = self._counts.setdefault((kind, odds), [0, 0, 0, 0, 0])
                for index, counted in enumerate((belief.total, belief.bad, belief.dead, belief.sent, belief.lost)):
                    count[index] += sum(counted[alike])

    def _lost_alone(self) -> bool:
        """Return whether trains lost packets, and about as many were bad as if each packet had been lost alone."""
        bad = alone = 0.0
        for (way, _), (total, of_bad, _, sent, lost) in self._counts.items():
            if way.load.packets > 1 and sent:  # an agent may say of trains that it could send nothing of them
                bad += of_bad
                alone += total * (1 - (1 - lost / sent) ** (sent / total))
        return alone > 0 and bad >= _ALONE * alone

    def gain(self, inward: float, outward: float) -> float:
        """Return what these two rates explain (nats)."""
        return sum(self._gain(sides, _lost(*sides, inward, outward)) for sides in self._by_sides)

    def _gain(self, sides: tuple[bool, bool], lost: float) -> float:
        """The gain by that loss of the trials that only enter, only leave, or do both: of those that do one of them
        it is asked again and again, beside each rate of the other way."""
        gain = self._gains.get((*sides, lost))
        if gain is None:
            gain = sum(self._gain_of(lost, *counted) for counted in self._by_sides[sides])
            self._gains[*sides, lost] = gain
        return gain

    def _gain_of(self, lost: float, load: Load, expected: Odds, count: list[int]) -> float:
        gain = gain_of(count[:3], expected, lossy(load, lost))
        if load.packets <= 1:
            return gain
        rate = min(max(lost, _LEAST), 1 - _LEAST)
        lost_ones = count[4] * log(rate / _LEAST) + (count[3] - count[4]) * log((1 - rate) / (1 - _LEAST))
        return gain + self._packets * lost_ones


def two_rates(counts: WayCounts, start: float) -> TwoRates:
    """Return the best pair of rates, from `start` both ways on (coordinate ascent)."""
    rate_in = rate_out = start
    for _ in range(_SWEEPS):
        rate_in = max(_STEPS, key=partial(counts.gain, outward=rate_out))
        rate_out = max(_STEPS, key=partial(counts.gain, rate_in))
    equal = max(RATES, key=lambda rate: counts.gain(rate, rate))
    best, same = counts.gain(rate_in, rate_out), counts.gain(equal, equal)
    if same >= best - EXTRA_RATE:
        return TwoRates(equal, equal, same)
    return TwoRates(rate_in, rate_out, best)


def one_rate(counts: WayCounts, *, inward: bool) -> TwoRates:
    """Return the best rate where only the way in, or only the way out, is sick."""
    ways = [(rate, 0.0) if inward else (0.0, rate) for rate in RATES]
    best = max(ways, key=lambda way: counts.gain(*way))
    return TwoRates(*best, counts.gain(*best))


def seen_by_one(
    beliefs: Iterable[Belief], node: str, share: Share | None, bins: int, both: TwoRates, one: TwoRates
) -> bool:
    """Return whether two ways explain more than `one` of them by the trials of a single peer of several: then the way
    to or from that peer is sick, and not the part's second way."""
    peers: dict[str, list[Belief]] = {}
    for belief in beliefs:
        source, target = belief.cell.route.source, belief.cell.route.target
        if belief.cell.route.question is Aspect.READ:
            continue
        peers.setdefault(target.place if source.node == node else source.place, []).append(belief)
    counts = [WayCounts(found, node, share, bins) for found in peers.values()]
    more = [each.gain(both.inward, both.outward) - each.gain(one.inward, one.outward) for each in counts]
    return len(more) > 1 and sum(more) - max(more) <= 0.0


def _lost(enters: bool, leaves: bool, inward: float, outward: float) -> float:
    into, out = inward if enters else 0.0, outward if leaves else 0.0
    return 1 - (1 - into) * (1 - out)
