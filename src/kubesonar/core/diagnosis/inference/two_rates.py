"""A part that packets enter and leave: which of the two ways is sick, or both, each at a rate of its own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import log
from typing import NamedTuple

import msgspec

from kubesonar.core.diagnosis.evidence import Cell
from kubesonar.core.diagnosis.inference.likelihood import Belief, gain_of
from kubesonar.core.diagnosis.inference.trial_model import RATES, Load, Odds, lossy
from kubesonar.core.diagnosis.parts.shares import Share, by_server, sides

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
        return way.load, _lost(way, self.inward, self.outward)


def seen_by_one(
    beliefs: Iterable[Belief], node: str, share: Share | None, bins: int, both: TwoRates, one: TwoRates
) -> bool:
    """Return whether two ways explain more than `one` of them by the trials of a single peer of several: then the way
    to or from that peer is sick, and not the part's second way."""
    more: dict[str, float] = {}
    for peer, counts in _counted_by_peer(beliefs, node, share, bins).items():
        more[peer] = _gain(counts, both.inward, both.outward) - _gain(counts, one.inward, one.outward)
    return len(more) > 1 and sum(more.values()) - max(more.values()) <= 0.0


class _Way(NamedTuple):
    """The load of trials on the part, and whether they enter and leave it."""

    load: Load
    enters: bool
    leaves: bool


def _way(cell: Cell, node: str, share: Share | None) -> _Way:
    load = Load(cell.packets)
    if share is not None:
        load = Load(cell.packets, 1, share(cell.route, node), by_server(share, cell.route, node))
    return _Way(load, *sides(cell.route, node))


class _Counts(NamedTuple):
    """Trials, bad ones, dead ones, packets and lost ones by the way and what is expected, and how much a packet counts
    that was lost within a train."""

    by_way: dict[tuple[_Way, Odds], list[int]]
    packets: float


def two_rates(beliefs: Iterable[Belief], node: str, share: Share | None, bins: int, start: float) -> TwoRates:
    """The best pair of rates through the newest `bins`, from `start` both ways on (coordinate ascent)."""
    counts = _counted(beliefs, node, share, bins)
    rate_in = rate_out = start
    for _ in range(_SWEEPS):
        rate_in = max(_STEPS, key=lambda rate, other=rate_out: _gain(counts, rate, other))  # type: ignore[misc]
        rate_out = max(_STEPS, key=lambda rate, other=rate_in: _gain(counts, other, rate))  # type: ignore[misc]
    equal = max(RATES, key=lambda rate: _gain(counts, rate, rate))
    best, same = _gain(counts, rate_in, rate_out), _gain(counts, equal, equal)
    if same >= best - EXTRA_RATE:
        return TwoRates(equal, equal, same)
    return TwoRates(rate_in, rate_out, best)


def one_rate(beliefs: Iterable[Belief], node: str, share: Share | None, bins: int, *, inward: bool) -> TwoRates:
    """The best rate through the newest `bins` where only the way in, or only the way out, is sick."""
    counts = _counted(beliefs, node, share, bins)
    ways = [(rate, 0.0) if inward else (0.0, rate) for rate in RATES]
    best = max(ways, key=lambda way: _gain(counts, *way))
    return TwoRates(*best, _gain(counts, *best))


def _counted(beliefs: Iterable[Belief], node: str, share: Share | None, bins: int) -> _Counts:
    counts: dict[tuple[_Way, Odds], list[int]] = {}
    for belief in beliefs:
        way = _way(belief.cell, node, share)
        for index in range(bins):
            if belief.total[index]:
                left = way._replace(load=belief.left(way.load, index))
                count = counts.setdefault((left, belief.expected[index]), [0, 0, 0, 0, 0])
                count[0] += belief.total[index]
                count[1] += belief.bad[index]
                count[2] += belief.dead[index]
                count[3] += belief.cell.sent[index]
                count[4] += belief.cell.lost[index]
    return _Counts(counts, 1.0 if _lost_alone(counts) else _PACKETS)


def _lost_alone(counts: Mapping[tuple[_Way, Odds], Sequence[int]]) -> bool:
    """Return whether trains lost packets, and about as many were bad as if each packet had been lost alone."""
    bad = alone = 0.0
    for (way, _), (total, of_bad, _, sent, lost) in counts.items():
        if way.load.packets > 1 and sent:  # an agent may say of trains that it could send nothing of them
            bad += of_bad
            alone += total * (1 - (1 - lost / sent) ** (sent / total))
    return alone > 0 and bad >= _ALONE * alone


def _counted_by_peer(beliefs: Iterable[Belief], node: str, share: Share | None, bins: int) -> dict[str, _Counts]:
    peers: dict[str, list[Belief]] = {}
    for belief in beliefs:
        source, target = belief.cell.route.source, belief.cell.route.target
        peers.setdefault(target.place if source.node == node else source.place, []).append(belief)
    return {peer: _counted(found, node, share, bins) for peer, found in peers.items()}


def _gain(counts: _Counts, inward: float, outward: float) -> float:
    gain = 0.0
    for (way, expected), count in counts.by_way.items():
        lost = _lost(way, inward, outward)
        gain += gain_of(count[:3], expected, lossy(way.load, lost))
        if way.load.packets > 1:
            rate = min(max(lost, _LEAST), 1 - _LEAST)
            lost_ones = count[4] * log(rate / _LEAST) + (count[3] - count[4]) * log((1 - rate) / (1 - _LEAST))
            gain += counts.packets * lost_ones
    return gain


def _lost(way: _Way, inward: float, outward: float) -> float:
    into, out = inward if way.enters else 0.0, outward if way.leaves else 0.0
    return 1 - (1 - into) * (1 - out)
