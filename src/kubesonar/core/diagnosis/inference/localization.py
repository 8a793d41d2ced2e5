"""The smallest set of parts that explains the failures: greedy by likelihood (as Flock, Harsh et al., CoNEXT 2023).

Again and again the part is taken that explains most beyond what is explained already, less the penalty of its prior,
until none explains enough. A narrow part costs more than a wide one, so that one sick node is not told as eight sick
pairs; but a wide part has to answer for all the trials that went well through it.

So that the traces of what is over are not taken for what lasts, a fault that has ended competes with those that last,
and what is loud now is told by the newest trials alone, before older ones are asked for what is faint.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from heapq import heapify, heappop, heapreplace
from math import log

import msgspec

from kubesonar.core.diagnosis.evidence import SETTLE, Cell, Evidence
from kubesonar.core.diagnosis.inference.background import BACKGROUND, Background
from kubesonar.core.diagnosis.inference.incidence import Incidence
from kubesonar.core.diagnosis.inference.likelihood import NO_FIT, Belief, Crossing, Fit, fit
from kubesonar.core.diagnosis.inference.persistence import HARD, lasts, share_of_events, times_since
from kubesonar.core.diagnosis.inference.suspects import CLEAR, Rival, Suspect, SuspectKey, choose_ways, relatives
from kubesonar.core.diagnosis.inference.trial_model import Load, Odds, lossy
from kubesonar.core.diagnosis.inference.two_rates import TwoRates
from kubesonar.core.diagnosis.inference.upper_bound import upper_bound
from kubesonar.core.diagnosis.parts.part import Part
from kubesonar.core.diagnosis.parts.table import PARTS
from kubesonar.core.diagnosis.parts.traversal import Aspect, End, Traversal, Way
from kubesonar.model import Kind, Path

MIN_GAIN = 16.0
"""Gain after the penalty (nats) below which a part is not named. In 300 simulated healthy windows with bursts the most
was 14; a loss of 2 % on one pair has 70 and more within 30 s at 16 packets a second."""

LOUD = 3 * MIN_GAIN
"""Gain after the penalty (nats) in the newest bins alone that needs no longer memory."""

YOUNG_BINS = 5
"""So many of the newest bins are searched first."""

SURE = 6.0
"""Lead (nats) which a fault that began within the short window must have over all that else might explain it: one wrong
explanation in 400. Lower, and the first losses are put down to what is merely more common; higher, and faults are told
late. A second later there is more to tell by."""

BELIEVED = 10.0
"""Lead (nats) that decides in the newest trials although another part explains more of them: beyond the penalties."""

DEFER_TO_NARROWER = 30.0
"""Seconds for which a fault is not told while a narrower part explains more of it, and only what was held to be
probable beforehand speaks against that. Shorter, and 10 % loss of UDP is told as loss of all packets; longer, and a
pair that loses 2 %, of whose TCP and ICMP nothing was lost by chance, is told late."""

UNSURE = CLEAR
"""Lead (nats) which loss of some packets must have for as long over all that else might explain it. Lower, and DNS by
UDP is told as names outside of the cluster at first; higher, and faint faults are told late."""

TOLD_BEFORE = CLEAR
"""Nats by which a part is likelier for having been told before. Fewer, and two parts that explain about as much are
told in turn; more, and what was told wrongly is told for longer."""

WIDESPREAD = 0.3
"""Share of paths that lost datagrams in the short window from which on what all share is asked about. Higher, and a
network that loses 5 % everywhere is told as many nodes; lower, and time is spent on it for each sick node."""

MAX_SUSPECTS = 64
"""Most parts that one search chooses."""

_RIVALS = 3
_FIRSTS = 4

_ALIKE = 0.01
"""Difference in what two parts explain, as a share of it, below which hardly a trial tells them apart, now or later."""

_FAR = 0.5
"""An explanation of less than this share of what the chosen one explains is no rival, and is not looked at."""


_WIDE = ("zone_pair", "zone_pair_slow")
"""Parts that so many trials cross that these are counted as one, until it is such a part that explains most."""

_ANY_ROUTE = Traversal(End(""), End(""), Kind.UDP, Path.OTHER, Way.FORWARD, Aspect.REACH)


class Search:
    """One search over the evidence, as far as `counts` says of its cells that they do. `known` are the parts and
    subjects that are known to be sick from before, which makes them likelier than others."""

    def __init__(
        self,
        evidence: Evidence,
        now: float,
        counts: Callable[[Cell], bool],
        known: Collection[tuple[str, str]] = (),
    ) -> None:
        self._ages = evidence.ages
        self._now = now
        self._reserve = evidence.reserve
        self._counts = counts
        self._known = known
        cells = [cell for cell in evidence.cells if counts(cell)]
        self._background = Background(cells, evidence.quiet)
        self._beliefs: list[Belief] = []
        self._sick: list[int] = []
        trains = [any(cell.bad[: self._ages.recent]) for cell in cells if cell.packets > 1]
        well = sum(quiet.pairs for quiet in evidence.quiet if quiet.packets > 1)
        everywhere = sum(trains) >= WIDESPREAD * (len(trains) + well)
        if everywhere:
            evidence.reserve.everything()  # what all share has to answer for all that went well
            cells = [cell for cell in evidence.cells if counts(cell)]
        self._believe(cells)
        self._incidence = Incidence(cells, self._more, everywhere=everywhere)
        self._fits: dict[SuspectKey, Fit] = {}
        self._most: dict[SuspectKey, float] = {}
        self._bounded: set[SuspectKey] = set()
        self._rough: set[SuspectKey] = set()
        self._close: set[SuspectKey] = set()
        self._sick_of: dict[SuspectKey, list[int]] = {}
        self._newest = 0
        self.over: list[Suspect] = []
        """The parts that `run` found to have been sick, and to be well again."""

    def _believe(self, cells: Iterable[Cell]) -> None:
        for cell in cells:
            belief = Belief(cell, self._background.odds(cell))
            if any(belief.bad):
                self._sick.append(len(self._beliefs))
            self._beliefs.append(belief)

    def _more(self, words: Collection[str]) -> list[Cell]:
        """The cells that are new of parts whose subjects consist of these words."""
        cells = [cell for cell in self._reserve.near(words) if self._counts(cell)]
        self._believe(cells)
        return cells

    def run(self) -> list[Suspect]:
        """The parts that are sick now, the one that explains most first."""
        everything = len(self._ages.edges)
        passes = (
            (YOUNG_BINS, LOUD),
            (self._ages.recent, LOUD),
            (self._ages.window, MIN_GAIN),
            (everything, MIN_GAIN),
        )
        return [suspect for newest, margin in passes for suspect in self._pass(newest, margin)]

    def _pass(self, newest: int, margin: float) -> list[Suspect]:
        """What so many of the newest bins show."""
        self._newest = newest
        self._fits = {}
        self._rank()
        suspects = []
        for _ in range(MAX_SUSPECTS):
            key = self._best(margin)
            if key is None:
                break
            suspect = self._refined(self._suspect(key))
            told = self._told(suspect)
            if not told and not suspect.fit.ended and self._newest < len(self._ages.edges):
                break  # it takes older trials to tell what this is
            self._explain(suspect, told=told)
            if suspect.fit.ended:
                self.over.append(suspect)
            if told:
                suspects.append(suspect)
                if suspect.part.hides is not None:
                    self._hide(suspect.part, suspect.subject)
            self._rank()
        return suspects

    def _hide(self, part: Part, subject: str) -> None:
        """Leaves out the trials that say nothing of their own because this part is sick."""
        for index, belief in enumerate(self._beliefs):
            if part.hidden(belief.cell.route, subject):
                self._touch(index)
                belief.forget(0, len(belief.total))

    def _best(self, margin: float) -> SuspectKey | None:
        """The part that explains most, and more than that. What a part explains is looked at only when the most that it
        could is more than what was found."""
        queue = [(-most, -key[0], key) for key, most in self._most.items() if most > margin]
        heapify(queue)
        while queue:
            key = queue[0][2]
            if key in self._fits and key not in self._rough:
                return key
            if key in self._fits:
                self._look_closely(key)
            most = self._bound(key) if key not in self._bounded else self._fit(key).past
            self._bounded.add(key)
            most = self._most[key] = min(self._most[key], most - self._penalty(key))
            if most > margin:
                heapreplace(queue, (-most, -key[0], key))
            else:
                heappop(queue)
        return None

    def _bound(self, key: SuspectKey) -> float:
        """The most that the part explains, told without looking at all that crosses it."""
        sick = [self._beliefs[index] for index in self._sick_of[key]]
        return upper_bound(sick, self._passed(key)[: self._newest], self._background.least)

    def _passed(self, key: SuspectKey) -> list[float]:
        """How many trains that no cell holds crossed the part well, bin by bin."""
        rates = self._reserve.passing(PARTS[key[0]].name, key[1])
        times = 2 if PARTS[key[0]].ways else 1
        previous, passed = SETTLE, []
        for index, edge in enumerate(self._ages.edges):
            rate = rates[0] if index < self._ages.window else rates[1]
            passed.append(times * rate * max(0.0, edge - previous))
            previous = max(previous, edge)
        return passed

    def _fit(self, key: SuspectKey) -> Fit:
        found = self._fits.get(key)
        if found is None:
            incidence, beliefs = self._incidence, self._beliefs
            if PARTS[key[0]].name in _WIDE and key not in self._close and key in self._most:
                crossings = [(beliefs[index], incidence.load(key, index)) for index in incidence.known(key)]
                crossings.append(self._others(key, crossings))
                self._rough.add(key)
            else:
                crossings = [(beliefs[index], load) for index, load in incidence.crossings(key)]
            found = self._fits[key] = fit(crossings, self._newest) if key in self._most else NO_FIT
        return found

    def _others(self, key: SuspectKey, crossings: Sequence[Crossing]) -> Crossing:
        """The trials of all pairs in reserve that cross a wide part, as if they were one cell's."""
        speed = PARTS[key[0]].name.endswith("_slow")
        packets = 1 if speed else max((belief.cell.packets for belief, _ in crossings), default=1)
        cell = Cell(_ANY_ROUTE, packets, len(self._ages.edges))
        for index, count in enumerate(self._passed(key)):
            cell.add_good(round(count), index, packets)
        usual = Odds(BACKGROUND, BACKGROUND) if speed else self._background.least
        return Belief(cell, usual), Load(packets)

    def _look_closely(self, key: SuspectKey) -> None:
        """Has all trials looked at that cross a wide part, because it is the best explanation so far."""
        self._close.add(key)
        self._rough.discard(key)
        self._fits.pop(key)

    def _suspect(self, key: SuspectKey) -> Suspect:
        """That part with all that is known of it, or the same part's ways apart where this explains more."""
        members = self._incidence.members
        beliefs = {each: [self._beliefs[index] for index in members(each)] for each in relatives(key)}
        choice = choose_ways(key, self._fits[key], beliefs, self._penalty)
        indexes = members(choice.key)
        members_of = [self._beliefs[index] for index in indexes]
        cells = [belief.cell for belief in members_of]
        bad_at = sorted(at for cell in cells for at in cell.bad_at)
        began = self._now - self._ages.edges[choice.fit.bins - 1]
        by_place: dict[str, list[tuple[float, float]]] = {}
        for belief in members_of:
            place = belief.cell.route.source.place if PARTS[choice.key[0]].common else ""
            by_place.setdefault(place, []).extend(self._worth(belief, began))
        return Suspect(
            key=choice.key,
            fit=choice.fit,
            rates=choice.rates,
            indexes=indexes,
            cells=cells,
            bad_at=sorted([*bad_at, *(at for cell in cells for at in cell.gone_at)]),
            times=times_since(bad_at, began),
            rivals=self._rivals(choice.key, choice.fit.gain, choice.rivals),
            net=choice.fit.gain * share_of_events(*by_place.values()) - PARTS[choice.key[0]].penalty,
        )

    def _worth(self, belief: Belief, began: float) -> Iterator[tuple[float, float]]:
        """The bad trials of a cell since then: when each was, and what there is to explain of it (nats)."""
        for at in belief.cell.bad_at:
            age_bin = min(bisect_right(self._ages.edges, self._now - at), len(belief.total) - 1)
            if at > began and not belief.forgot(age_bin):
                yield at, -log(belief.expected[age_bin].bad)

    def _refined(self, suspect: Suspect) -> Suspect:
        """The suspect, or the better one of two narrower parts which together explain more than it does beside the best
        of them: both ways between two nodes are not one of these nodes. A server is not its transports, though each may
        fail at a rate of its own."""
        if suspect.fit.ended or suspect.part.whole:
            return suspect
        half = (suspect.fit.gain - self._penalty(suspect.key)) / 2
        firsts = sorted((key for key in self._within(suspect, half) if self._net(key) > half), key=self._by_net)
        if not firsts:
            return suspect
        narrower = self._within(suspect)
        together, first, second, fit_of_second = max(
            (self._two(first, narrower) for first in firsts[-_FIRSTS:]), key=lambda two: two[:3]
        )
        alone = self._net(first)
        with self._supposed(suspect.key, suspect.fit, suspect.rates):
            most = 2 * half + max(0.0, max(map(self._net, narrower)))
        if alone >= together:
            return suspect
        if together <= most:
            return _rivalled(suspect, most - together, first, second)
        with self._supposed(second, fit_of_second):
            self._fit(first)
            return _rivalled(self._suspect(first), together - most, suspect.key)

    def _two(self, first: SuspectKey, others: Collection[SuspectKey]) -> tuple[float, SuspectKey, SuspectKey, Fit]:
        """What a part and the best of the others beside it explain together, these two, and how the second loses."""
        alone = self._net(first)
        with self._supposed(first, self._fit(first)):
            second = max(others, key=self._by_net)
            return alone + self._net(second), first, second, self._fit(second)

    def _by_net(self, key: SuspectKey) -> tuple[float, SuspectKey]:
        return self._net(key), key

    def _within(self, suspect: Suspect, least: float = float("-inf")) -> list[SuspectKey]:
        """The parts that are crossed only by trials which cross this one too, and may explain more than `least`."""
        mine, kin, incidence = set(suspect.indexes), relatives(suspect.key), self._incidence
        keys = {key for index in self._sick if index in mine for key in incidence.keys(index)}
        return [
            key
            for key in keys
            if self._most.get(key, least) > least
            and key not in kin
            and not any(self._reserve.passing(PARTS[key[0]].name, key[1]))
            and mine.issuperset(incidence.members(key))
        ]

    def _penalty(self, key: SuspectKey) -> float:
        """How improbable a fault of that part is beforehand (nats)."""
        row = PARTS[key[0]]
        return row.penalty - (TOLD_BEFORE if (row.name, key[1]) in self._known else 0.0)

    def _net(self, key: SuspectKey) -> float:
        """What a part explains, after its penalty (nats)."""
        return self._fit(key).gain - self._penalty(key)

    @contextmanager
    def _supposed(self, key: SuspectKey, found: Fit, rates: TwoRates | None = None) -> Iterator[None]:
        """For a while, expects what this part does."""
        indexes = self._incidence.members(key)
        before = [self._beliefs[index].expectation for index in indexes]
        for index in indexes:
            self._expect(key, found, rates, index, found.bins)
            self._touch(index)
        yield
        for index, expectation in zip(indexes, before, strict=True):
            self._beliefs[index].expectation = expectation
            self._touch(index)

    def _told(self, suspect: Suspect) -> bool:
        """Whether it is a present, lasting and clear fault."""
        found, part = suspect.fit, suspect.part
        if found.ended or found.rate < part.least or suspect.net < MIN_GAIN:
            return False
        first = suspect.times[0] if suspect.times else self._now
        if not lasts(suspect.times, found.rate, part, self._now - first):
            return False
        open_ = [rival for rival in suspect.rivals if not rival.same]
        brief = self._newest < len(self._ages.edges) or found.bins <= self._ages.recent
        unbelieved = [rival for rival in open_ if rival.more > 0 and rival.lead < BELIEVED]
        if unbelieved and (
            brief or (self._now - first < DEFER_TO_NARROWER and any(rival.within for rival in unbelieved))
        ):
            return False  # only what was held to be probable beforehand speaks for it so far
        if found.bins <= self._ages.recent:
            return all(rival.lead >= SURE for rival in open_)
        young = found.rate < HARD and self._now - first < DEFER_TO_NARROWER
        return not young or all(rival.lead >= UNSURE for rival in open_)

    def _explain(self, suspect: Suspect, *, told: bool) -> None:
        """Expects what this part does from now on."""
        found = suspect.fit
        for index in suspect.indexes:
            belief = self._beliefs[index]
            self._touch(index)
            if found.ended:
                belief.forget(found.ended, len(belief.total))
                continue
            self._expect(suspect.key, found, suspect.rates, index, found.bins)
            if told:
                belief.forget(found.bins, len(belief.total))
        if told or found.ended:
            self._expect_of_services(suspect)

    def _expect(self, key: SuspectKey, found: Fit, rates: TwoRates | None, index: int, bins: int) -> None:
        if rates is not None:
            odds = rates.odds(self._beliefs[index].cell, key[1], PARTS[key[0]].share)
        else:
            odds = lossy(self._incidence.load(key, index), found.rate)
        self._beliefs[index].explain(odds, bins)

    def _expect_of_services(self, suspect: Suspect) -> None:
        """Expects failures of Services with so many servers that each is crossed by few trials only."""
        explained = set(suspect.indexes)
        for index in self._incidence.services:
            route = self._beliefs[index].cell.route
            share = suspect.part.share if suspect.part.when(route) else None
            if index not in explained and share is not None and share(route, suspect.subject):
                self._expect(suspect.key, suspect.fit, suspect.rates, index, len(self._ages.edges))
                self._touch(index)

    def _rivals(self, key: SuspectKey, gain: float, ways: list[Rival]) -> list[Rival]:
        """The next best explanations of most of the same trials."""
        part, incidence = PARTS[key[0]], self._incidence
        mine = set(incidence.members(key))
        kin = relatives(key)
        net = gain - self._penalty(key)
        rivals = list(ways)
        for other in {other for index in mine for other in incidence.keys(index)}:
            row = PARTS[other[0]]
            if other in kin or (row.name, other[1]) == (part.name, key[1]):
                continue
            if self._most.get(other, 0.0) <= _FAR * net:
                continue
            lead = net - self._fit(other).gain + self._penalty(other)
            theirs = set(incidence.known(other) if other in self._rough else incidence.members(other))
            more = self._fit(other).gain - gain
            if lead < net and 2 * len(theirs & mine) >= min(len(theirs), len(mine)):
                alike = theirs == mine or abs(more) < _ALIKE * gain
                rivals.append(Rival(row.name, other[1], lead, alike, more, theirs < mine))
        return sorted(rivals, key=lambda rival: rival.lead)[:_RIVALS]

    def _touch(self, index: int) -> None:
        """Has the parts that this cell crosses looked at anew."""
        for key in self._incidence.keys(index):
            self._fits.pop(key, None)

    def _rank(self) -> None:
        """The most that each part could explain, and of those that were looked at what they do explain."""
        self._most = {}
        self._bounded = set()
        self._sick_of = {}
        for index in self._sick:
            most = self._beliefs[index].most(self._newest)
            for key in self._incidence.keys(index) if most else ():
                self._most[key] = self._most.get(key, -self._penalty(key)) + most
                self._sick_of.setdefault(key, []).append(index)
        self._most |= {key: found.past - self._penalty(key) for key, found in self._fits.items() if key in self._most}


def _rivalled(suspect: Suspect, lead: float, *others: SuspectKey) -> Suspect:
    """The suspect, with these as another explanation that falls behind it by so much; rows of one name are one."""
    more = [Rival(PARTS[key[0]].name, key[1], lead) for key in others if PARTS[key[0]].name != suspect.part.name]
    rivals = sorted([*suspect.rivals, *more], key=lambda rival: rival.lead)
    return msgspec.structs.replace(suspect, rivals=rivals[:_RIVALS])
