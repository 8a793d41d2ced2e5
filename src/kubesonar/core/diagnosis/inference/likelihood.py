"""Judges how well one sick part explains what was seen: the likelihood of the evidence with it, against without it.

A part is taken to lose each packet with a rate, since some age; what that does to a trial is in `trial_model`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import accumulate
from math import exp, log

import msgspec

from kubesonar.core.diagnosis.inference.belief import LEAST_ODDS, Belief, Expectation, unpack
from kubesonar.core.diagnosis.inference.rate_vectors import NAT, fields, vector
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


_ZERO = fields(0)[0]

NO_FIT = Fit(0.0, 0.0, 0, 0, 0.0)

Crossing = tuple[Belief, Load]
"""Trials, and how they cross the part in question."""


class CrossingTrials:
    """All trials that cross a part. What their good ones say against it is added up once, since it does not depend on
    what is expected, but where some servers of a Service are explained."""

    def __init__(self, crossings: Iterable[Crossing]) -> None:
        self._open: list[Crossing] = []
        self._bad: dict[int, dict[Load, list[Belief]]] = {}
        good: dict[Load, int] = {}
        bins = 0
        for belief, load in crossings:
            bins = len(belief.total)
            good[load] = good.get(load, 0) + belief.packed
            if belief.sick or load.by_server:
                self._open.append((belief, load))
        self.bins = bins
        """The number of bins of age."""
        self._good = [0] * bins
        for load, packed in good.items():
            gains = _gains_of_good(load)
            for index, count in enumerate(unpack(packed, bins)[0]):
                self._good[index] += count * gains

    def gains(self, newest: int) -> list[int]:
        """Return what each rate explains of the trials in each of so many of the newest bins, as vectors of rates."""
        gains = self._good[:newest]
        for load, beliefs in self._bad_in(newest).items():
            alike: dict[Expectation, int] = {}
            for belief in beliefs:
                if belief.sick or belief.expectation.partial:
                    alike[belief.expectation] = alike.get(belief.expectation, 0) + belief.packed
            for expectation, packed in alike.items():
                good, partly, dead = unpack(packed, len(self._good))
                for bins, odds, less in expectation.stretches(load):
                    left = less or load
                    if less:
                        more = _gains_of_good(less) - _gains_of_good(load)
                        _add(gains, bins, good, more)
                    if any(partly[bins]):
                        _add(gains, bins, partly, _gains_of_partly(left, odds))
                    if any(dead[bins]):
                        _add(gains, bins, dead, _gains_of_dead(left, odds))
        return gains

    def _bad_in(self, newest: int) -> dict[Load, list[Belief]]:
        """The trials of which some were bad in so many of the newest bins, and those of Services."""
        found = self._bad.get(newest)
        if found is None:
            found = self._bad[newest] = {}
            for belief, load in self._open:
                if load.by_server or any(belief.bad[:newest]):
                    found.setdefault(load, []).append(belief)
        return found


def _add(gains: list[int], bins: slice, counts: Sequence[int], of_one: int) -> None:
    """Adds what so many trials in each of those bins explain, as far as these are asked for."""
    for index in range(bins.start, min(bins.stop, len(gains))):
        gains[index] += counts[index] * of_one


def fit(trials: CrossingTrials, newest: int, *, may_end: bool = True) -> Fit:
    """The best rate and onset of a part which all these trials cross, by so many of the newest bins; and its end,
    unless it is held to last."""
    sums = [fields(total) for total in accumulate(trials.gains(newest))]
    most = max((max(each) for each in sums), default=_ZERO)
    lasting = NO_FIT
    if most > _ZERO:
        stop = next(index for index, each in enumerate(sums) if most in each)
        gain = (most - _ZERO) / NAT
        lasting = Fit(gain, RATES[sums[stop].index(most)], stop + 1, 0, gain)
    return _end(sums, lasting) if may_end else lasting


def since_onset(trials: CrossingTrials, found: Fit) -> Fit:
    """Return the account of a part that lasts by all of its trials since it began to lose packets at about the rate
    that it was `found` to lose them at, which may be longer ago than the trials that it was found by."""
    sums = [fields(total) for total in accumulate(trials.gains(trials.bins))]
    column = [each[RATES.index(found.rate)] for each in sums]
    stop = max(found.bins, column.index(max(column)) + 1)
    most = max(sums[stop - 1])
    gain = (most - _ZERO) / NAT
    return Fit(gain, RATES[sums[stop - 1].index(most)], stop, 0, gain)


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
def _gains_of_good(load: Load) -> int:
    return vector(log(1 - odds.bad) for odds in _by_rate(load))


@lru_cache(maxsize=_MOST_ODDS)
def _gains_of_partly(load: Load, expected: Odds) -> int:
    return vector(_partly(either(expected, odds), expected) for odds in _by_rate(load))


@lru_cache(maxsize=_MOST_ODDS)
def _gains_of_dead(load: Load, expected: Odds) -> int:
    return vector(log(either(expected, odds).dead / expected.dead) for odds in _by_rate(load))


def _end(sums: Sequence[Sequence[int]], lasting: Fit) -> Fit:
    """The account with an end, where that explains much more than the lasting one does."""
    best, past = lasting, round((lasting.gain + _ENDED) * NAT)
    for rate, column in zip(RATES, zip(*sums, strict=True), strict=False):
        if max(column) - min(column) <= past:
            continue
        least, start = column[0], 1
        for index, value in enumerate(column):
            if value - least > past:
                past = value - least
                best = Fit(lasting.gain, rate, lasting.bins, start, past / NAT)
            elif value < least:
                least, start = value, index + 1
    return best
