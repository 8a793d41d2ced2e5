"""Keeps what each part explains beyond what is explained already, looked at no closer than the choice of the best
takes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from heapq import heapify, heappop, heapreplace

from kubesonar.core.diagnosis.inference.likelihood import NO_FIT, Fit, fit
from kubesonar.core.diagnosis.inference.suspects import CLEAR, SuspectKey
from kubesonar.core.diagnosis.inference.two_rates import TwoRates
from kubesonar.core.diagnosis.inference.upper_bound import upper_bound
from kubesonar.core.diagnosis.localization.trials import SearchedTrials
from kubesonar.core.diagnosis.parts.table import PARTS

TOLD_BEFORE = CLEAR
"""Nats by which a part is likelier for having been told before. Fewer, and two parts that explain about as much are
told in turn; more, and what was told wrongly is told for longer."""

_WIDE = ("zone_pair", "zone_pair_slow")
"""Parts that so many trials cross that these are counted as one, until it is such a part that explains most."""


class PartGains:
    """The gain of each part by so many of the newest bins. `known` are the parts and subjects that are known to be sick
    from before, which makes them likelier than others."""

    def __init__(self, trials: SearchedTrials, known: Collection[tuple[str, str]]) -> None:
        self._trials = trials
        self._known = known
        self._newest = 0
        self._fits: dict[SuspectKey, Fit] = {}
        self._most: dict[SuspectKey, float] = {}
        self._bounded: set[SuspectKey] = set()
        self._rough: set[SuspectKey] = set()
        self._close: set[SuspectKey] = set()
        self._sick_of: dict[SuspectKey, list[int]] = {}

    def look_at(self, newest: int) -> None:
        """Begin anew with so many of the newest bins."""
        self._newest = newest
        self._fits = {}
        self.rank()

    def rank(self) -> None:
        """Compute the most that each part could explain, and of those that were looked at what they do explain."""
        self._most = {}
        self._bounded = set()
        self._sick_of = {}
        trials = self._trials
        for index in trials.sick:
            most = trials.beliefs[index].most(self._newest)
            for key in trials.incidence.keys(index) if most else ():
                self._most[key] = self._most.get(key, -self.penalty(key)) + most
                self._sick_of.setdefault(key, []).append(index)
        self._most |= {key: found.past - self.penalty(key) for key, found in self._fits.items() if key in self._most}

    def best(self, margin: float, accepts: Callable[[SuspectKey, Fit], bool] | None = None) -> SuspectKey | None:
        """Return the part that explains most, and more than that, of those that `accepts` takes by how they lose (None:
        of all). What a part explains is looked at only when the most that it could is more than what was found."""
        queue = [(-most, -key[0], key) for key, most in self._most.items() if most > margin]
        heapify(queue)
        while queue:
            key = queue[0][2]
            if key in self._fits and accepts is not None and not accepts(key, self._fits[key]):
                heappop(queue)
                continue
            if key in self._fits and key not in self._rough:
                return key
            if key in self._fits:
                self._look_closely(key)
            most = self._bound(key) if key not in self._bounded else self.fit(key).past
            self._bounded.add(key)
            most = self._most[key] = min(self._most[key], most - self.penalty(key))
            if most > margin:
                heapreplace(queue, (-most, -key[0], key))
            else:
                heappop(queue)
        return None

    def most(self, key: SuspectKey) -> float | None:
        """Return the most that the part may explain, after its penalty (nats); None where it may explain nothing."""
        return self._most.get(key)

    def penalty(self, key: SuspectKey) -> float:
        """Return how improbable a fault of that part is beforehand (nats)."""
        row = PARTS[key[0]]
        return row.penalty - (TOLD_BEFORE if (row.name, key[1]) in self._known else 0.0)

    def net(self, key: SuspectKey) -> float:
        """Return what a part explains, after its penalty (nats)."""
        return self.fit(key).gain - self.penalty(key)

    def fit(self, key: SuspectKey) -> Fit:
        """Return the best account of that part."""
        found = self._fits.get(key)
        if found is None:
            if PARTS[key[0]].name in _WIDE and key not in self._close and key in self._most:
                crossings = self._trials.rough_crossings(key)
                self._rough.add(key)
            else:
                crossings = self._trials.crossings(key)
            found = self._fits[key] = fit(crossings, self._newest) if key in self._most else NO_FIT
        return found

    def seen(self, key: SuspectKey) -> list[int]:
        """Return the numbers of the cells that the account of that part was made from."""
        incidence = self._trials.incidence
        return incidence.known(key) if key in self._rough else incidence.members(key)

    def touch(self, index: int) -> None:
        """Have the parts that this cell crosses looked at anew."""
        for key in self._trials.incidence.keys(index):
            self._fits.pop(key, None)

    @contextmanager
    def tried(self) -> Iterator[None]:
        """Forget afterwards what was found of the most that parts explain, because it holds for suppositions only."""
        most, bounded = dict(self._most), set(self._bounded)
        yield
        self._most, self._bounded = most, bounded

    @contextmanager
    def supposed(self, key: SuspectKey, found: Fit, rates: TwoRates | None = None) -> Iterator[None]:
        """Expect for a while what this part does."""
        trials = self._trials
        indexes = trials.incidence.members(key)
        before = [trials.beliefs[index].expectation for index in indexes]
        for index in indexes:
            trials.expect(key, found, rates, index, found.bins)
            self.touch(index)
        yield
        for index, expectation in zip(indexes, before, strict=True):
            trials.beliefs[index].expectation = expectation
            self.touch(index)

    def _bound(self, key: SuspectKey) -> float:
        """The most that the part explains, told without looking at all that crosses it."""
        trials = self._trials
        sick = [trials.beliefs[index] for index in self._sick_of[key]]
        return upper_bound(sick, trials.passed(key)[: self._newest], trials.least)

    def _look_closely(self, key: SuspectKey) -> None:
        """Has all trials looked at that cross a wide part, because it is the best explanation so far."""
        self._close.add(key)
        self._rough.discard(key)
        self._fits.pop(key)
