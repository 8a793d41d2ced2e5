"""Beliefs: the trials of a cell, with the odds that are expected of them as far as they are explained so far."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from math import log
from struct import Struct

from kubesonar.core.diagnosis.evidence import Cell
from kubesonar.core.diagnosis.inference.trial_model import Load, Odds, either, failing, lossy

LEAST_ODDS = 1e-9
"""The odds that a trial is bad in part, at least, so that it can be explained at all."""


Stretch = tuple[slice, Odds, Load | None]
"""Bins in which the same is expected of a crossing: which, the odds, and its load, where that is less by what was
explained."""

_Left = tuple[float, ...]
"""Of a Service the chance of each server that a trial there does not fail by what was explained; empty where nothing is
explained of some servers only."""


class Expectation:
    """The odds of a trial in each bin of age, by what was explained so far. It never changes, and cells of which the
    same was explained share one, so that their trials are counted together."""

    __slots__ = ("_explained", "_less", "_stretches", "odds", "partial", "untouched")

    def __init__(self, stretches: Sequence[tuple[slice, Odds, _Left]], *, untouched: bool = False) -> None:
        """`stretches`: bins from the newest on, with what is expected in them; `untouched`: whether nothing was
        explained."""
        self.untouched = untouched
        self._stretches = stretches
        self.odds = [odds for bins, odds, _ in stretches for _ in range(bins.start, bins.stop)]
        self.partial = any(left for _, _, left in stretches)
        """Tells whether of some servers of a Service it is explained that they fail, so that less of it is left."""
        self._less: dict[Load, Sequence[Stretch]] = {}
        self._explained: dict[tuple[Load, float, int], Expectation] = {}

    @classmethod
    def usual(cls, odds: Odds, bins: int) -> Expectation:
        """Return the expectation while nothing is explained."""
        return cls([(slice(0, bins), odds, ())], untouched=True)

    def explained(self, load: Load, rate: float, bins: int) -> Expectation:
        """Return what is expected when besides, through the newest `bins`, a part that is crossed so loses packets at
        that rate."""
        found = self._explained.get((load, rate, bins))
        if found is None:
            found = self._explained[load, rate, bins] = Expectation(list(self._with(load, rate, bins)))
        return found

    def stretches(self, load: Load) -> Sequence[Stretch]:
        """Return the stretches of bins in which the same is expected of a crossing, from the newest on. Of a Service
        the load is that of the trials that do not fail by what was explained: it leads to one of its servers, so that
        what fails at one of them fails at no other."""
        if not (self.partial and load.by_server):
            load = _WHOLE
        found = self._less.get(load)
        if found is None:
            found = [
                (bins, odds, _less(load, left) if left and load.by_server else None)
                for bins, odds, left in self._stretches
            ]
            self._less[load] = found
        return found

    def _with(self, load: Load, rate: float, stop: int) -> Iterator[tuple[slice, Odds, _Left]]:
        fails = failing(load, rate) if load.by_server else 0.0
        for bins, odds, left in self._stretches:
            if bins.start < stop:
                less = _less(load, left) if left and load.by_server else load
                servers = left or (1.0,) * len(load.by_server)
                after = tuple(
                    [chance * (1 - share * fails) for chance, share in zip(servers, load.by_server, strict=False)]
                )
                yield slice(bins.start, min(bins.stop, stop)), either(odds, lossy(less, rate)), after or left
            if bins.stop > stop:
                yield slice(max(bins.start, stop), bins.stop), odds, left


_WHOLE = Load(1)


def _less(load: Load, left: _Left) -> Load:
    crossing = sum(chance * share for chance, share in zip(left, load.by_server, strict=True))
    return Load(load.packets, load.crossings, round(crossing / sum(left), 3))


class Belief:
    """A cell, with what is expected of its trials. A bin that has been forgotten counts zero."""

    __slots__ = ("_most", "bad", "cell", "dead", "expectation", "lost", "packed", "sent", "sick", "total")

    def __init__(self, cell: Cell, expectation: Expectation) -> None:
        self.cell = cell
        self.total = list(cell.total)
        self.bad = list(cell.bad)
        self.dead = list(cell.dead)
        self.sent = list(cell.sent)
        self.lost = list(cell.lost)
        self.expectation = expectation
        self._count()

    def _count(self) -> None:
        self._most: dict[tuple[int, Expectation], float] = {}
        self.sick = any(self.bad)
        """Tells whether any of its trials was bad: what is expected of good ones changes nothing."""
        good = map(int.__sub__, self.total, self.bad)
        partly = map(int.__sub__, self.bad, self.dead)
        self.packed = int.from_bytes(_counts(len(self.dead)).pack(*good, *partly, *self.dead), "little")
        """All counts in one number, so that those of many cells are added at once."""

    @property
    def open(self) -> bool:
        """Whether it matters what is expected: where all went well it does only of a Service, of which a part is
        left."""
        return self.sick or bool(self.cell.route.target.behind)

    def explain(self, load: Load, rate: float, bins: int) -> None:
        """Expects besides, through the newest `bins`, that a part which is crossed so loses packets at that rate."""
        self.expectation = self.expectation.explained(load, rate, bins)

    def forget(self, start: int, stop: int) -> None:
        """Leaves the bins from `start` to `stop` out of account."""
        for counts in (self.total, self.bad, self.dead, self.sent, self.lost):
            counts[start:stop] = [0] * len(counts[start:stop])
        self._count()

    def forgot(self, age_bin: int) -> bool:
        """Return whether the trials of that bin were left out of account."""
        return self.cell.total[age_bin] > 0 == self.total[age_bin]

    def most(self, newest: int) -> float:
        """The most that any part can explain of so many of the newest bins (nats)."""
        found = self._most.get((newest, self.expectation))
        if found is None:
            found = self._most[newest, self.expectation] = sum(self.nats(newest))
        return found

    def nats(self, newest: int) -> list[float]:
        """The same, bin by bin."""
        return [
            dead * -log(odds.dead) + (bad - dead) * -log(max(odds.bad - odds.dead, LEAST_ODDS)) if bad else 0.0
            for bad, dead, odds in zip(self.bad[:newest], self.dead, self.expectation.odds, strict=False)
        ]


def unpack(packed: int, bins: int) -> tuple[Sequence[int], Sequence[int], Sequence[int]]:
    """Return the good trials, those that were bad in part and the dead ones, bin by bin, of such numbers' sum."""
    form = _counts(bins)
    counts = form.unpack(packed.to_bytes(form.size, "little"))
    return counts[:bins], counts[bins : 2 * bins], counts[2 * bins :]


@lru_cache(maxsize=8)
def _counts(bins: int) -> Struct:
    """The form of three counts for each bin."""
    return Struct(f"<{3 * bins}Q")
