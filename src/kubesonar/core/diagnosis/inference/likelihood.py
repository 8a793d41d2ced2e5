"""Judges how well one sick part explains what was seen: the likelihood of the evidence with it, against without it.

A part is taken to lose each packet with a rate, since some age; what that does to a trial is in `trial_model`.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import accumulate
from math import exp, log

import msgspec

from kubesonar.core.diagnosis.inference.belief import LEAST_ODDS, Belief, Expectation, unpack
from kubesonar.core.diagnosis.inference.trial_model import RATES, Load, Odds, either, lossy

_ENDED = 4.0
"""A fault has ended when that explains its trials this much (nats) better than that it still lasts."""

CONFIDENT = 5.0
"""Scale of `confidence`, in nats."""

_MOST_LOADS = 1024
"""Loads of which it is kept what each rate explains, 1 KiB each. Few are in use at once, and from look to look they are
the same."""

_MOST_ODDS = 4096
"""The same of expected odds beside a load. Fewer, and they are worked out again in a look with several lossy faults;
more, and memory is spent on odds that are learned anew in each look."""


def confidence(net: float) -> float:
    """1 - exp(-net / 5), below 1: `net` is the gain in nats after the prior's penalty. 16 nats, the least that makes a
    finding, are 0.96; 25 are 0.99."""
    return min(0.9999, 1 - exp(-max(0.0, net) / CONFIDENT))


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

Gains = tuple[float, ...]
"""What each of `RATES` explains (nats)."""

_NOTHING: Gains = (0.0,) * len(RATES)


class CrossingTrials:
    """All trials that cross a part. What their good ones say against it does not depend on what is expected, and is
    added up once, but for Services, of which a part is left."""

    def __init__(self, crossings: Iterable[Crossing]) -> None:
        self._open: list[Crossing] = []
        good: dict[Load, int] = {}
        bins = 0
        for belief, load in crossings:
            bins = len(belief.total)
            if not load.by_server:
                good[load] = good.get(load, 0) + belief.packed
            if belief.sick or load.by_server:
                self._open.append((belief, load))
        self._good = [_NOTHING] * bins
        for load, packed in good.items():
            gains = _gains_of_good(load)
            for index, count in enumerate(unpack(packed, bins)[0]):
                if count:
                    self._add(self._good, index, count, gains)

    def table(self, newest: int) -> list[Gains]:
        """Return what each rate explains of the trials in each of so many of the newest bins."""
        table = self._good[:newest]
        alike: dict[tuple[Load, Expectation], int] = {}
        for belief, load in self._open:
            kind = load, belief.expectation
            alike[kind] = alike.get(kind, 0) + belief.packed
        for (load, expectation), packed in alike.items():
            good, partly, dead = unpack(packed, len(self._good))
            left, odds = expectation.left(load), expectation.odds
            for index in range(newest):
                if load.by_server and good[index]:
                    self._add(table, index, good[index], _gains_of_good(left[index]))
                if partly[index]:
                    self._add(table, index, partly[index], _gains_of_partly(left[index], odds[index]))
                if dead[index]:
                    self._add(table, index, dead[index], _gains_of_dead(left[index], odds[index]))
        return table

    @staticmethod
    def _add(table: list[Gains], index: int, count: int, gains: Gains) -> None:
        table[index] = tuple([had + count * gain for had, gain in zip(table[index], gains, strict=True)])


def fit(trials: CrossingTrials, newest: int) -> Fit:
    """The best rate and onset of a part which all these trials cross, by so many of the newest bins."""
    columns = list(zip(*trials.table(newest), strict=True))
    best = NO_FIT
    for rate, column in zip(RATES, columns, strict=False):
        sums = list(accumulate(column))
        gain = max(sums)
        if gain > best.gain:
            best = Fit(gain, rate, sums.index(gain) + 1, 0, gain)
    return _end(columns, best)


def gain_of(count: list[int], expected: Odds, odds: Odds) -> float:
    """Return what these odds besides the expected ones explain of [trials, bad ones, dead ones], in nats."""
    total, bad, dead = count
    gain = (total - bad) * log(1 - odds.bad)
    if bad:
        with_it = either(expected, odds)
        if dead:
            gain += dead * log(with_it.dead / expected.dead)
        if bad > dead:
            gain += (bad - dead) * _partly(with_it, expected)
    return gain


def _partly(with_it: Odds, expected: Odds) -> float:
    partly = max(with_it.bad - with_it.dead, LEAST_ODDS)
    return log(partly / max(expected.bad - expected.dead, LEAST_ODDS))


@lru_cache(maxsize=_MOST_LOADS)
def _by_rate(load: Load) -> tuple[Odds, ...]:
    return tuple(lossy(load, rate) for rate in RATES)


@lru_cache(maxsize=_MOST_LOADS)
def _gains_of_good(load: Load) -> Gains:
    return tuple(log(1 - odds.bad) for odds in _by_rate(load))


@lru_cache(maxsize=_MOST_ODDS)
def _gains_of_partly(load: Load, expected: Odds) -> Gains:
    return tuple(_partly(either(expected, odds), expected) for odds in _by_rate(load))


@lru_cache(maxsize=_MOST_ODDS)
def _gains_of_dead(load: Load, expected: Odds) -> Gains:
    return tuple(log(either(expected, odds).dead / expected.dead) for odds in _by_rate(load))


def _end(columns: list[tuple[float, ...]], lasting: Fit) -> Fit:
    """The account with an end, where that explains much more than the lasting one does."""
    best, past = lasting, lasting.gain + _ENDED
    for rate, column in zip(RATES, columns, strict=False):
        gain, start = 0.0, 1
        for index, more in enumerate(column[1:], 1):
            if gain < 0:
                gain, start = 0.0, index  # what began in an older bin explains less than nothing of those before
            gain += more
            if gain > past:
                best, past = Fit(lasting.gain, rate, lasting.bins, start, gain), gain
    return best
