"""Beliefs: the trials of a cell, with the odds that are expected of them as far as they are explained so far."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from math import log
from struct import Struct

from kubesonar.core.diagnosis.evidence import Cell
from kubesonar.core.diagnosis.inference.trial_model import Load, Odds, either, failing, lossy

LEAST_ODDS = 1e-9
"""The odds that a trial is bad in part, at least, so that it can be explained at all."""


class Expectation:
    """The odds of a trial in each bin of age, by what was explained so far. It never changes, and cells of which the
    same was explained share one, so that their trials are counted together."""

    __slots__ = ("_explained", "_left", "_lefts", "odds", "untouched")

    def __init__(self, odds: Sequence[Odds], left: Sequence[tuple[float, ...]] = (), *, untouched: bool = True) -> None:
        """`untouched`: whether nothing was explained. `left`: of a Service of which some servers fail, by bin, the
        chance of each that a trial there does not fail by what was explained."""
        self.odds = odds
        self._left = left
        self.untouched = untouched
        self._lefts: dict[Load, Sequence[Load]] = {}
        self._explained: dict[tuple[Load, float, int], Expectation] = {}

    def explained(self, load: Load, rate: float, bins: int) -> Expectation:
        """Return what is expected when besides, through the newest `bins`, a part that is crossed so loses packets at
        that rate."""
        found = self._explained.get((load, rate, bins))
        if found is None:
            found = self._explained[load, rate, bins] = self._with(load, rate, bins)
        return found

    def left(self, load: Load) -> Sequence[Load]:
        """Return the same crossing by bin, of the trials that do not fail by what was explained: a Service leads to one
        of its servers, so that what fails at one of them fails at no other."""
        found = self._lefts.get(load)
        if found is None:
            found = self._lefts[load] = [load] * len(self.odds)
            if load.by_server and self._left:
                alike = {left: _left(load, left) for left in set(self._left)}
                found = self._lefts[load] = [alike[left] for left in self._left]
        return found

    def _with(self, load: Load, rate: float, bins: int) -> Expectation:
        alike: dict[tuple[Odds, Load], Odds] = {}
        odds, left = list(self.odds), self.left(load)
        for index in range(bins):
            kind = odds[index], left[index]
            if kind not in alike:
                alike[kind] = either(kind[0], lossy(kind[1], rate))
            odds[index] = alike[kind]
        if not load.by_server:
            return Expectation(odds, self._left, untouched=False)
        fails, all_left = failing(load, rate), (1.0,) * len(load.by_server)
        before = self._left or [all_left] * len(odds)
        alike_left = {each: _beside(each, load, fails) for each in set(before[:bins])}
        return Expectation(odds, [*(alike_left[each] for each in before[:bins]), *before[bins:]], untouched=False)


def _left(load: Load, left: Sequence[float]) -> Load:
    crossing = sum(chance * share for chance, share in zip(left, load.by_server, strict=True))
    return load._replace(share=round(crossing / sum(left), 3), by_server=())


def _beside(left: Sequence[float], load: Load, fails: float) -> tuple[float, ...]:
    """The chances of the servers, where those that are crossed fail besides."""
    return tuple([chance * (1 - share * fails) for chance, share in zip(left, load.by_server, strict=True)])


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
