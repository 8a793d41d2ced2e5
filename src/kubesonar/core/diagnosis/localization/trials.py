"""The trials of a search, by the number of their cell, and what is expected of each as far as it is explained."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable

from kubesonar.core.diagnosis.evidence import SETTLE, Cell, Evidence
from kubesonar.core.diagnosis.inference.background import BACKGROUND, Background
from kubesonar.core.diagnosis.inference.belief import Belief, Expectation
from kubesonar.core.diagnosis.inference.incidence import Incidence
from kubesonar.core.diagnosis.inference.likelihood import CrossingTrials, Fit
from kubesonar.core.diagnosis.inference.suspects import SuspectKey
from kubesonar.core.diagnosis.inference.trial_model import READING, Load, Odds
from kubesonar.core.diagnosis.inference.two_rates import TwoRates
from kubesonar.core.diagnosis.parts.table import PARTS
from kubesonar.core.diagnosis.parts.traversal import Aspect, End, Traversal, Way
from kubesonar.model import Kind, Path

WIDESPREAD = 0.3
"""Share of paths that lost datagrams in the short window from which on what all share is asked about. Higher, and a
network that loses 5 % everywhere is told as many nodes; lower, and time is spent on it for each sick node."""

_ANY_ROUTE = Traversal(End(""), End(""), Kind.UDP, Path.OTHER, Way.FORWARD, Aspect.REACH)


class SearchedTrials:
    """The cells of the evidence that `counts` lets pass, and those made of the reserve when a part is looked at that
    they may cross. `beliefs` are the cells with what is expected of them, `sick` the numbers of those with bad trials,
    `incidence` the parts that they cross, `least` the least odds of a train in a network that is well."""

    def __init__(self, evidence: Evidence, counts: Callable[[Cell], bool]) -> None:
        self.ages = evidence.ages
        self.beliefs: list[Belief] = []
        self.sick: list[int] = []
        self._reserve = evidence.reserve
        self._counts = counts
        self._looked_through = 0
        self._read_through: set[SuspectKey] = set()
        cells = [cell for cell in evidence.cells if counts(cell)]
        self._background = Background(cells, evidence.quiet)
        self.least = self._background.least
        trains = [any(cell.bad[: self.ages.recent]) for cell in cells if cell.packets > 1]
        well = sum(quiet.pairs for quiet in evidence.quiet if quiet.packets > 1)
        everywhere = sum(trains) >= WIDESPREAD * (len(trains) + well)
        if everywhere:
            evidence.reserve.everything()  # what all share has to answer for all that went well
            cells = [cell for cell in evidence.cells if counts(cell)]
        self._usual: dict[Odds, Expectation] = {}
        self._believe(cells)
        self.incidence = Incidence(cells, self._more, everywhere=everywhere)

    def _believe(self, cells: Iterable[Cell]) -> None:
        for cell in cells:
            odds = self._background.odds(cell)
            if odds not in self._usual:
                self._usual[odds] = Expectation.usual(odds, len(self.ages.edges))
            belief = Belief(cell, self._usual[odds])
            if belief.sick:
                self.sick.append(len(self.beliefs))
            self.beliefs.append(belief)

    def _more(self, words: Collection[str]) -> list[Cell]:
        """The cells that are new of parts whose subjects consist of these words."""
        cells = [cell for cell in self._reserve.near(words) if self._counts(cell)]
        self._believe(cells)
        return cells

    def members(self, key: SuspectKey) -> list[Belief]:
        """Return all trials that cross this part."""
        return [self.beliefs[index] for index in self.incidence.members(key)]

    def read_through(self) -> set[SuspectKey]:
        """Return the parts by which members could be read just now, so that something gets through each of them."""
        for index in range(self._looked_through, len(self.beliefs)):
            if self.beliefs[index].cell.packets == READING:
                self._read_through.update(self.incidence.keys(index))
        self._looked_through = len(self.beliefs)
        return self._read_through

    def unread_nodes(self) -> frozenset[str]:
        """Return the nodes of which no member could be read; none unless several other nodes could."""
        routes = [belief.cell.route for belief in self.beliefs if belief.cell.route.between_members]
        read = {route.target.node for route in routes if not route.silent}
        return frozenset({route.target.node for route in routes if route.silent} - read if len(read) > 1 else ())

    def crossing(self, key: SuspectKey) -> CrossingTrials:
        """Return all trials that cross this part."""
        return CrossingTrials((self.beliefs[index], load) for index, load in self.incidence.crossings(key))

    def crossing_roughly(self, key: SuspectKey) -> CrossingTrials:
        """Return the same of a wide part, with the trials of all pairs in reserve as if they were one cell's."""
        incidence = self.incidence
        crossings = [(self.beliefs[index], incidence.load(key, index)) for index in incidence.known(key)]
        speed = PARTS[key[0]].name.endswith("_slow")
        packets = 1 if speed else max((belief.cell.packets for belief, _ in crossings), default=1)
        bins = len(self.ages.edges)
        cell = Cell(_ANY_ROUTE, packets, bins)
        for index, count in enumerate(self.passed(key)):
            cell.add_good(round(count), index, packets)
        usual = Odds(BACKGROUND, BACKGROUND) if speed else self.least
        return CrossingTrials([*crossings, (Belief(cell, Expectation.usual(usual, bins)), Load(packets))])

    def passed(self, key: SuspectKey) -> list[float]:
        """Return how many trains that no cell holds crossed the part well, bin by bin."""
        rates = self.rates(key)
        times = 2 if PARTS[key[0]].ways else 1
        previous, passed = SETTLE, []
        for index, edge in enumerate(self.ages.edges):
            rate = rates[0] if index < self.ages.window else rates[1]
            passed.append(times * rate * max(0.0, edge - previous))
            previous = max(previous, edge)
        return passed

    def rates(self, key: SuspectKey) -> tuple[float, float]:
        """Return how many trains that no cell holds cross the part in a second, lately and in the past."""
        return self._reserve.passing(PARTS[key[0]].name, key[1])

    def suppose(self, key: SuspectKey, found: Fit, rates: TwoRates | None) -> None:
        """Expect of all cells that cross a part what it does besides."""
        for index, load in self.incidence.crossings(key):
            self.expect(key, found, rates, index, load, found.bins)

    def suppose_bursts(self, key: SuspectKey, share: float, bins: int) -> None:
        """Expect of all cells that cross a part, through the newest `bins`, that it loses all that a trial sends for
        that share of the time, as in bursts connections are lost whose segments are sent again."""
        for index, load in self.incidence.crossings(key):
            self.beliefs[index].explain(Load(1, load.crossings, load.share), share, bins)

    def expect(self, key: SuspectKey, found: Fit, rates: TwoRates | None, index: int, load: Load, bins: int) -> None:
        """Expect of that cell, through the newest `bins`, what the part does besides. The cell crosses it with that
        `load`, unless its two ways are told apart."""
        belief, rate = self.beliefs[index], found.rate
        if rates is not None:
            load, rate = rates.crossing(belief.cell, key[1], PARTS[key[0]].share)
        belief.explain(load, rate, bins)
