"""Judges how well one sick part explains what was seen: the likelihood of the evidence with it, against without it.

A part is taken to lose each packet with a rate, since some age; what that does to a trial is in `trial_model`.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from math import exp, log

import msgspec

from kubesonar.core.diagnosis.evidence import Cell
from kubesonar.core.diagnosis.inference.trial_model import RATES, Load, Odds, either, failing, lossy

_ENDED = 4.0
"""A fault has ended when that explains its trials this much (nats) better than that it still lasts."""

CONFIDENT = 5.0
"""Scale of `confidence`, in nats."""

_LEAST_ODDS = 1e-9


def confidence(net: float) -> float:
    """1 - exp(-net / 5), below 1: `net` is the gain in nats after the prior's penalty. 16 nats, the least that makes a
    finding, are 0.96; 25 are 0.99."""
    return min(0.9999, 1 - exp(-max(0.0, net) / CONFIDENT))


Expectation = tuple[list[Odds], Odds | None, tuple[list[float], ...]]
"""The odds expected in each bin, those of all bins while nothing was explained, and what is left of each server."""


class Belief:
    """A cell, and the odds of a trial in it as explained so far, bin by bin. A bin that has been forgotten counts
    zero."""

    __slots__ = ("_unexplained", "bad", "cell", "dead", "expected", "packed", "total", "untouched")

    def __init__(self, cell: Cell, background: Odds) -> None:
        self.cell = cell
        self.total = list(cell.total)
        self.bad = list(cell.bad)
        self.dead = list(cell.dead)
        self.expected = [background] * len(cell.total)
        self.untouched: Odds | None = background
        """The expectation in every bin, as long as nothing was explained."""
        self._unexplained: tuple[list[float], ...] = ()
        """Of a Service of which some servers fail: by bin, the chance of each that a trial there does not fail by what
        was explained."""
        self.packed = _pack(self.total, self.bad, self.dead)
        """All counts in one number, so that those of many cells are added at once."""

    def explain(self, load: Load, rate: float, bins: int) -> None:
        """Expects besides, through the newest `bins`, that a part which is crossed so loses packets at that rate."""
        self.untouched = None
        for index in range(bins):
            self.expected[index] = either(self.expected[index], lossy(self.left(load, index), rate))
        if load.by_server:
            fails, all_left = failing(load, rate), [1.0] * len(load.by_server)
            before = self._unexplained or tuple(all_left for _ in self.total)
            self._unexplained = tuple(
                [left * (1 - share * fails) for left, share in zip(each, load.by_server, strict=True)]
                if index < bins
                else each
                for index, each in enumerate(before)
            )

    def left(self, load: Load, age_bin: int) -> Load:
        """The same crossing, of the trials in that bin that do not fail by what was explained: a Service leads to one
        of its servers, so that what fails at one of them fails at no other."""
        if not load.by_server or not self._unexplained:
            return load
        left = self._unexplained[age_bin]
        crossing = sum(chance * share for chance, share in zip(left, load.by_server, strict=True))
        return load._replace(share=round(crossing / sum(left), 3), by_server=())

    @property
    def expectation(self) -> Expectation:
        """The expectation, to be set again after something was supposed."""
        return list(self.expected), self.untouched, self._unexplained

    @expectation.setter
    def expectation(self, before: Expectation) -> None:
        self.expected, self.untouched, self._unexplained = before

    def forget(self, start: int, stop: int) -> None:
        """Leaves the bins from `start` to `stop` out of account."""
        for index in range(start, stop):
            self.total[index] = self.bad[index] = self.dead[index] = 0
        self.packed = _pack(self.total, self.bad, self.dead)

    def forgot(self, age_bin: int) -> bool:
        """Return whether the trials of that bin were left out of account."""
        return self.cell.total[age_bin] > 0 == self.total[age_bin]

    def most(self, newest: int) -> float:
        """The most that any part can explain of so many of the newest bins (nats)."""
        return sum(self.nats(newest)) if any(self.bad[:newest]) else 0.0

    def nats(self, newest: int) -> list[float]:
        """The same, bin by bin."""
        return [
            dead * -log(odds.dead) + (bad - dead) * -log(max(odds.bad - odds.dead, _LEAST_ODDS)) if bad else 0.0
            for bad, dead, odds in zip(self.bad[:newest], self.dead, self.expected, strict=False)
        ]


_BITS = 28
_MASK = (1 << _BITS) - 1


def _pack(total: list[int], bad: list[int], dead: list[int]) -> int:
    packed = 0
    for index in range(len(total) - 1, -1, -1):
        packed = (((((packed << _BITS) | dead[index]) << _BITS) | bad[index]) << _BITS) | total[index]
    return packed


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
    return _end(table, best)


def _table(crossings: Iterable[Crossing]) -> Table:
    packed: dict[tuple[Load, Odds], int] = {}
    counts: dict[tuple[int, Load, Odds], list[int]] = {}
    bins = 0
    for belief, crossing in crossings:
        bins = len(belief.total)
        if belief.untouched is not None:
            kind = crossing, belief.untouched
            packed[kind] = packed.get(kind, 0) + belief.packed
            continue
        for index, total in enumerate(belief.total):
            if total:
                key = (index, belief.left(crossing, index), belief.expected[index])
                count = counts.get(key)
                if count is None:
                    count = counts[key] = [0, 0, 0]
                count[0] += total
                count[1] += belief.bad[index]
                count[2] += belief.dead[index]
    table = [[0.0] * len(RATES) for _ in range(bins)]
    for (crossing, expected), number in packed.items():
        for index in range(bins):
            if number & _MASK:
                _add(
                    table,
                    index,
                    crossing,
                    expected,
                    number & _MASK,
                    number >> _BITS & _MASK,
                    number >> 2 * _BITS & _MASK,
                )
            number >>= 3 * _BITS
    for (index, crossing, expected), (total, bad, dead) in counts.items():
        _add(table, index, crossing, expected, total, bad, dead)
    return table


def _add(table: Table, index: int, crossing: Load, expected: Odds, total: int, bad: int, dead: int) -> None:
    """Adds the gain of these trials to the row of that bin."""
    gains = _gains(crossing, expected)
    good, partly, row = total - bad, bad - dead, table[index]
    if not bad:
        table[index] = [gain + good * of_good for gain, (of_good, _, _) in zip(row, gains, strict=True)]
    else:
        table[index] = [
            gain + good * of_good + partly * of_partly + dead * of_dead
            for gain, (of_good, of_partly, of_dead) in zip(row, gains, strict=True)
        ]


@lru_cache(maxsize=8192)
def _gains(crossing: Load, expected: Odds) -> tuple[tuple[float, float, float], ...]:
    """Return what each rate explains of a good trial, of one that is bad in part, and of a dead one (nats)."""
    found = []
    for rate in RATES:
        odds = lossy(crossing, rate)
        found.append(
            (gain_of([1, 0, 0], expected, odds), gain_of([1, 1, 0], expected, odds), gain_of([1, 1, 1], expected, odds))
        )
    return tuple(found)


def gain_of(count: list[int], expected: Odds, odds: Odds) -> float:
    """Return what these odds besides the expected ones explain of [trials, bad ones, dead ones], in nats."""
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


def _end(table: Table, lasting: Fit) -> Fit:
    """The account with an end, where that explains much more than the lasting one does."""
    best, past = lasting, lasting.gain + _ENDED
    for index, rate in enumerate(RATES):
        for start in range(1, len(table)):
            gain = 0.0
            for row in table[start:]:
                gain += row[index]
                if gain > past:
                    best, past = Fit(lasting.gain, rate, lasting.bins, start, gain), gain
    return best
