"""How well one sick part explains what was seen: the likelihood of the evidence with it, against without it.

A part is taken to lose each packet with a rate, since some age; what that does to a trial is in `trial_model`.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import exp, log

import msgspec

from kubesonar.core.diagnosis.components import Part
from kubesonar.core.diagnosis.evidence import Cell
from kubesonar.core.diagnosis.path_features import Way
from kubesonar.core.diagnosis.trial_model import RATES, Load, Odds, either, lossy

_ENDED = 4.0
"""A fault has ended when that explains its trials this much (nats) better than that it still lasts."""

CONFIDENT = 5.0
"""Scale of `confidence`, in nats."""

_LEAST_ODDS = 1e-9


def load(part: Part, subject: str, cell: Cell) -> Load:
    """How the trials of that cell cross that part."""
    crossings = 2 if part.both and cell.route.way is Way.ROUND else 1
    return Load(cell.packets, crossings, part.share(cell.route, subject) if part.share else 1.0)


def confidence(net: float) -> float:
    """1 - exp(-net / 5), below 1: `net` is the gain in nats after the prior's penalty. 16 nats, the least that makes a
    finding, are 0.96; 25 are 0.99."""
    return min(0.9999, 1 - exp(-max(0.0, net) / CONFIDENT))


class Belief:
    """A cell, and the odds of a trial in it as explained so far, bin by bin. A bin that has been forgotten counts
    zero."""

    __slots__ = ("bad", "cell", "dead", "expected", "total")

    def __init__(self, cell: Cell, background: Odds) -> None:
        self.cell = cell
        self.total = list(cell.total)
        self.bad = list(cell.bad)
        self.dead = list(cell.dead)
        self.expected = [background] * len(cell.total)

    def explain(self, odds: Odds, bins: int) -> None:
        """Expects this besides, through the newest `bins`."""
        for index in range(bins):
            self.expected[index] = either(self.expected[index], odds)

    def forget(self, start: int, stop: int) -> None:
        """Leaves the bins from `start` to `stop` out of account."""
        for index in range(start, stop):
            self.total[index] = self.bad[index] = self.dead[index] = 0


class Fit(msgspec.Struct, frozen=True):
    """The best account of one part: `gain` in nats with loss at `rate` through the newest `bins`. `ended` is the bin in
    which it ended, 0 while it lasts; `past` is the gain of that account, never less than `gain`."""

    gain: float
    rate: float
    bins: int
    ended: int
    past: float


NO_FIT = Fit(0.0, 0.0, 0, 0, 0.0)

Crossing = tuple[Belief, Load]
"""Trials, and how they cross the part in question."""

Table = list[list[float]]
"""Gain by bin and rate."""


def fit(crossings: Iterable[Crossing], newest: int) -> Fit:
    """The best rate and onset of a part which all these trials cross, by so many of the newest bins."""
    table = _table(crossings)[:newest]
    best = NO_FIT
    for index, rate in enumerate(RATES):
        gain = 0.0
        for stop, row in enumerate(table):
            gain += row[index]
            if gain > best.gain:
                best = Fit(gain, rate, stop + 1, 0, gain)
    past, ended = _end(table, best.gain)
    return msgspec.structs.replace(best, ended=ended, past=past) if ended else best


def _table(crossings: Iterable[Crossing]) -> Table:
    counts: dict[tuple[int, Load, Odds], list[int]] = {}
    bins = 0
    for belief, crossing in crossings:
        bins = len(belief.total)
        for index, total in enumerate(belief.total):
            if total:
                key = (index, crossing, belief.expected[index])
                count = counts.get(key)
                if count is None:
                    count = counts[key] = [0, 0, 0]
                count[0] += total
                count[1] += belief.bad[index]
                count[2] += belief.dead[index]
    table = [[0.0] * len(RATES) for _ in range(bins)]
    for (index, crossing, expected), count in counts.items():
        row = table[index]
        for column, odds in enumerate(_odds(crossing)):
            row[column] += gain_of(count, expected, odds)
    return table


def gain_of(count: list[int], expected: Odds, odds: Odds) -> float:
    """What these odds besides the expected ones explain of [trials, bad ones, dead ones], in nats."""
    total, bad, dead = count
    gain = (total - bad) * log(1 - odds.bad)
    if bad:
        with_it = either(expected, odds)
        if dead:
            gain += dead * log(with_it.dead / expected.dead)
        if bad > dead:
            partly = max(with_it.bad - with_it.dead, _LEAST_ODDS)
            gain += (bad - dead) * log(partly / max(expected.bad - expected.dead, _LEAST_ODDS))
    return gain


_BY_LOAD: dict[Load, tuple[Odds, ...]] = {}
"""The odds at each rate, by load: a cache, as large as there are loads."""


def _odds(crossing: Load) -> tuple[Odds, ...]:
    found = _BY_LOAD.get(crossing)
    if found is None:
        found = _BY_LOAD[crossing] = tuple(lossy(crossing, rate) for rate in RATES)
    return found


def _end(table: Table, lasting: float) -> tuple[float, int]:
    """The gain with an end and the bin in which the fault ended, 0 where an end does not explain much more."""
    best, ended = lasting + _ENDED, 0
    for index in range(len(RATES)):
        for start in range(1, len(table)):
            gain = 0.0
            for row in table[start:]:
                gain += row[index]
                if gain > best:
                    best, ended = gain, start
    return best, ended
