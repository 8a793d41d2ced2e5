"""Keeps what each part explains beyond what is explained already, looked at no closer than the choice of the best
takes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from heapq import heapify, heappop, heapreplace
from typing import NamedTuple

from kubesonar.core.diagnosis.inference.likelihood import NO_FIT, CrossingTrials, Fit, fit, since_onset
from kubesonar.core.diagnosis.inference.persistence import HARD
from kubesonar.core.diagnosis.inference.suspects import CLEAR, SuspectKey
from kubesonar.core.diagnosis.inference.two_rates import TwoRates
from kubesonar.core.diagnosis.inference.upper_bound import upper_bound
from kubesonar.core.diagnosis.localization.trials import SearchedTrials
from kubesonar.core.diagnosis.parts.table import PARTS

TOLD_BEFORE = CLEAR
"""Nats by which a part is likelier for having been told before. Fewer, and two parts that explain about as much are
told in turn; more, and what was told wrongly is told for longer."""

BESIDE_A_WAY = 2.0
"""Nats by which two things are improbable once a way between two nodes or zones is known to be sick: the way back, as
a filter or a cable cuts both, and a plain target as either end of that way sees it, which may be at the other. Fewer,
and these are told on little evidence; more, and both ways between two nodes are told as what all nodes share, beside a
node that is cut off."""

SEEN_BY_ONE = 4.5
"""Nats by which it is less probable that a node loses some packets where its ways to all peers but one are cut, and so
show nothing. Fewer, and what is lost between two nodes beside a third that is cut off is told as one of the two; more,
and it takes longer to tell such a node by what plain targets show."""

_WAYS = ("pair", "zone_pair")

_NODES = {"node": (True, True), "node_in": (True, False), "node_out": (False, True)}
"""Whether such a part is of what a node receives, and of what it sends."""

_WIDE = ("zone_pair", "zone_pair_slow")
"""Parts that so many trials cross that these are counted as one, until it is such a part that explains most."""

_Supposed = tuple[SuspectKey, Fit, TwoRates | None]
"""A part that is supposed to be sick, and how it loses."""


class _View(NamedTuple):
    """The gains of parts while the same is expected of all cells. `fits` are those of parts that were looked at, `most`
    is the most that each could explain, after its penalty (nats), `bounded` are those of which a bound was computed,
    `eased` says by how much less improbable some are than usual (nats)."""

    fits: dict[SuspectKey, Fit]
    most: dict[SuspectKey, float]
    bounded: set[SuspectKey]
    eased: Mapping[SuspectKey, float]

    def beside(self, changed: Collection[SuspectKey], eased: Mapping[SuspectKey, float]) -> _View:
        """Return the view once more is expected of cells that these parts cross, so that they explain less, and others
        are eased as well."""
        fits = {key: found for key, found in self.fits.items() if key not in changed}
        most = dict(self.most)
        for key, nats in eased.items():
            if key in most:
                most[key] += nats - self.eased.get(key, 0.0)
        return _View(fits, most, self.bounded.difference(changed), {**self.eased, **eased})


class PartGains:
    """The gain of each part by so many of the newest bins. `known` are the parts and subjects that are known to be sick
    from before, which makes them likelier than others."""

    def __init__(self, trials: SearchedTrials, known: Collection[tuple[str, str]]) -> None:
        self._trials = trials
        self._known = known
        self._newest = 0
        self._view = _View({}, {}, set(), {})
        self.taken: set[str] = set()
        """The subjects of the parts that were taken."""
        self._cut: set[int] = set()
        """The cells of which nothing gets through by the parts that were taken."""
        self._by_one: dict[SuspectKey, bool] = {}
        self._path: tuple[_Supposed, ...] = ()
        self._views: dict[tuple[_Supposed, ...], _View] = {}
        """The views of what was supposed since something else was expected: some dozens, for each part that a search
        chooses."""
        self._loosest: dict[SuspectKey, float] = {}
        self._crossings: dict[SuspectKey, CrossingTrials] = {}
        self._rough: set[SuspectKey] = set()
        self._close: set[SuspectKey] = set()
        self._sick_of: dict[SuspectKey, list[int]] = {}

    def look_at(self, newest: int) -> None:
        """Begin anew with so many of the newest bins."""
        self._newest = newest
        self._view.fits.clear()
        self.rank()

    def rank(self) -> None:
        """Compute the most that each part could explain, and of those that were looked at what they do explain."""
        most: dict[SuspectKey, float] = {}
        self._sick_of = {}
        trials = self._trials
        for index in trials.sick:
            more = trials.beliefs[index].most(self._newest)
            for key in trials.incidence.keys(index) if more else ():
                most[key] = most.get(key, -self._prior(key)) + more
                self._sick_of.setdefault(key, []).append(index)
        self._loosest = most
        fits = self._view.fits
        looked_at = {key: found.past - self.penalty(key) for key, found in fits.items() if key in most}
        self._view = _View(fits, most | looked_at, set(), self._view.eased)
        self._views.clear()

    def best(
        self,
        margin: float,
        among: Collection[SuspectKey] | None = None,
        accepts: Callable[[SuspectKey, Fit], bool] | None = None,
    ) -> SuspectKey | None:
        """Return the part that explains most, and more than that, of some (None: of all) and of those that `accepts`
        takes by how they lose. What a part explains is looked at only when the most that it could is more than what was
        found."""
        fits, thought, bounded, _ = self._view
        keys = thought if among is None else [key for key in among if key in thought]
        queue = [(-thought[key], -key[0], key) for key in keys if thought[key] > margin]
        heapify(queue)
        while queue:
            key = queue[0][2]
            found = fits.get(key)
            if found is not None and accepts is not None and not accepts(key, found):
                heappop(queue)
                continue
            if found is not None and key in self._rough:
                self._look_closely(key)
            elif found is not None and found.past - self.penalty(key) >= thought[key]:
                return key
            if found is None and key not in bounded:
                most = self._bound(key) - self._prior(key)
                bounded.add(key)
            else:
                most = self.fit(key).past - self.penalty(key)
            most = thought[key] = min(thought[key], most)
            if most > margin:
                heapreplace(queue, (-most, -key[0], key))
            else:
                heappop(queue)
        return None

    def most(self, key: SuspectKey) -> float:
        """Return the most that the part could explain, after its penalty (nats), told without looking at all that
        crosses it; 0 where no bad trial does."""
        loosest = self._loosest.get(key, 0.0)
        return min(loosest, self._bound(key) - self._prior(key)) if loosest > 0 else loosest

    def penalty(self, key: SuspectKey) -> float:
        """Return how improbable a fault of that part is beforehand (nats)."""
        doubted = bool(self._cut) and PARTS[key[0]].name in _NODES and self.fit(key).rate < HARD
        return self._prior(key) + (SEEN_BY_ONE if doubted and self._seen_by_one(key) else 0.0)

    def _prior(self, key: SuspectKey) -> float:
        """The same of one that lets nothing through."""
        row = PARTS[key[0]]
        told_before = TOLD_BEFORE if (row.name, key[1]) in self._known else 0.0
        return row.penalty - told_before - self._view.eased.get(key, 0.0)

    def take(self, key: SuspectKey, rate: float) -> None:
        """Hold that part to lose packets at that rate from now on, told or not; `rank` is to follow."""
        self.taken.add(key[1])
        self._view = self._view._replace(eased={**self._view.eased, **self._eased_beside(key)})
        if rate >= HARD:
            self._cut.update(self._trials.incidence.members(key))
            self._by_one.clear()

    def _seen_by_one(self, key: SuspectKey) -> bool:
        """Return whether all ways of that node from or to others are cut but those of a single peer."""
        found = self._by_one.get(key)
        if found is None:
            found = self._by_one[key] = self._has_one_peer_left(key)
        return found

    def _has_one_peer_left(self, key: SuspectKey) -> bool:
        """Return the same, worked out from all trials that cross the node, or the way into or out of it."""
        ways, peers, left = _NODES[PARTS[key[0]].name], set(), set()
        for index in self._trials.incidence.members(key):
            route = self._trials.beliefs[index].cell.route
            for start, end in route.legs if route.reach and route.between_members else ():
                out = start.node == key[1]
                if ways[out]:
                    peer = end.node if out else start.node
                    peers.add(peer)
                    if index not in self._cut:
                        left.add(peer)
            if len(left) > 1:  # as of most nodes of a big mesh
                return False
        return len(left) == 1 < len(peers)

    def _eased_beside(self, key: SuspectKey) -> dict[SuspectKey, float]:
        """Return by how much less improbable the parts are that are often sick beside a way between two; none where
        this is no such way."""
        if PARTS[key[0]].name not in _WAYS:
            return {}
        start, _, end = key[1].partition(">")
        beside = [(key[0], f"{end}>{start}"), *(other for other in self._loosest if self._begins_at(other, start, end))]
        return {other: max(0.0, PARTS[other[0]].penalty - BESIDE_A_WAY) for other in beside}

    def _begins_at(self, key: SuspectKey, *ends: str) -> bool:
        """Return whether that part is a plain target as a node or a zone sees it, which is or lies in one of `ends`."""
        if PARTS[key[0]].variant != "plain" and PARTS[key[0]].name != "zone_target":
            return False
        source = self._trials.beliefs[self._sick_of[key][0]].cell.route.source
        return source.node in ends or source.zone in ends

    def told_before(self, keys: Iterable[SuspectKey]) -> bool:
        """Return whether any of these parts is known to be sick from before."""
        return any((PARTS[row].name, subject) in self._known for row, subject in keys)

    def within(self, among: Iterable[SuspectKey], indexes: Iterable[int]) -> set[SuspectKey]:
        """Return those of these parts that no bad trials cross but some of the cells with these numbers."""
        cells = {*indexes}
        return {key for key in among if cells.issuperset(self._sick_of.get(key, ()))}

    def net(self, key: SuspectKey) -> float:
        """Return what a part explains, after its penalty (nats)."""
        return self.fit(key).gain - self.penalty(key)

    def fit(self, key: SuspectKey) -> Fit:
        """Return the best account of that part."""
        found = self._view.fits.get(key)
        if found is not None:
            return found
        if key not in self._view.most:
            return NO_FIT
        if PARTS[key[0]].name in _WIDE and key not in self._close and any(self._trials.rates(key)):
            crossing = self._trials.crossing_roughly(key)
            self._rough.add(key)
        else:
            crossing = self._crossing(key)
        found = self._view.fits[key] = fit(crossing, self._newest)
        return found

    def since_onset(self, key: SuspectKey, found: Fit) -> Fit:
        """Return the account of that part by all trials since it began to lose packets as it was `found` to."""
        return since_onset(self._crossing(key), found)

    def lasting(self, key: SuspectKey) -> Fit:
        """Return the best account of that part as if it had not ended."""
        return fit(self._crossing(key), self._newest, may_end=False)

    def lossy(self, key: SuspectKey) -> set[int]:
        """Return the numbers of the cells through that part of which trials were bad that nothing explains yet."""
        return {*self._sick_of.get(key, ())}

    def _crossing(self, key: SuspectKey) -> CrossingTrials:
        found = self._crossings.get(key)
        if found is None:
            found = self._crossings[key] = self._trials.crossing(key)
        return found

    def seen(self, key: SuspectKey) -> list[int]:
        """Return the numbers of the cells that the account of that part was made from."""
        incidence = self._trials.incidence
        return incidence.known(key) if key in self._rough else incidence.members(key)

    def touch(self, index: int) -> None:
        """Have the parts that this cell crosses looked at anew, because something else is expected of it."""
        for key in self._trials.incidence.keys(index) if self._trials.beliefs[index].open else ():
            self._view.fits.pop(key, None)

    def forget(self, index: int, start: int, stop: int) -> None:
        """Leave the bins from `start` to `stop` of this cell out of account."""
        self._trials.beliefs[index].forget(start, stop)
        for key in self._trials.incidence.keys(index):
            self._view.fits.pop(key, None)
            self._crossings.pop(key, None)

    @contextmanager
    def supposed(self, key: SuspectKey, found: Fit, rates: TwoRates | None = None) -> Iterator[None]:
        """Expect for a while what this part does."""
        trials = self._trials
        indexes = trials.incidence.members(key)
        before = [trials.beliefs[index].expectation for index in indexes]
        trials.suppose(key, found, rates)
        path, view = self._path, self._view
        self._path = (*path, (key, found, rates))
        if self._path not in self._views:
            changed = [index for index in indexes if trials.beliefs[index].open]
            crossed = {other for index in changed for other in trials.incidence.keys(index)}
            self._views[self._path] = view.beside(crossed, self._eased_beside(key))
        self._view = self._views[self._path]
        yield
        self._path, self._view = path, view
        for index, expectation in zip(indexes, before, strict=True):
            trials.beliefs[index].expectation = expectation

    def _bound(self, key: SuspectKey) -> float:
        """The most that the part explains, told without looking at all that crosses it."""
        trials = self._trials
        sick = [trials.beliefs[index] for index in self._sick_of[key]]
        if trials.incidence.made(key):
            return sum(belief.most(self._newest) for belief in sick)
        return upper_bound(sick, trials.passed(key)[: self._newest], trials.least)

    def _look_closely(self, key: SuspectKey) -> None:
        """Has all trials looked at that cross a wide part, because it is the best explanation so far."""
        self._close.add(key)
        self._rough.discard(key)
        for view in (self._view, *self._views.values()):
            view.fits.pop(key, None)
