from __future__ import annotations

from random import Random

import pytest

from kubesonar.core.diagnosis.evidence import Cell
from kubesonar.core.diagnosis.inference.belief import Belief, Expectation
from kubesonar.core.diagnosis.inference.likelihood import CrossingTrials, fit
from kubesonar.core.diagnosis.inference.trial_model import Load, Odds
from kubesonar.core.diagnosis.inference.upper_bound import upper_bound
from kubesonar.core.diagnosis.parts.traversal import Aspect, End, Traversal, Way
from kubesonar.model import Kind, Path

ROUTE = Traversal(End("a"), End("b"), Kind.UDP, Path.POD, Way.FORWARD, Aspect.REACH)
USUAL = Odds(0.002, 0.001)
BINS = 6


def belief(rng: Random, sick: bool, share: float, lost: tuple[int, ...]) -> Belief:
    """Trains of six bins, a share of them bad in some where it is sick, each having lost one of these numbers."""
    cell = Cell(ROUTE, 8, BINS)
    onset = rng.randrange(1, BINS)
    for age_bin in range(BINS):
        for _ in range(rng.randrange(12)):
            bad = sick and age_bin < onset and rng.random() < share
            cell.add(0.0, age_bin, bad, 8, rng.choice(lost))
    return Belief(cell, Expectation.usual(USUAL, BINS))


@pytest.mark.parametrize(("share", "lost"), [(0.25, (1, 8)), (0.6, (1,)), (0.9, (1, 8)), (0.9, (8,)), (1.0, (8,))])
@pytest.mark.parametrize("seed", range(10))
def test_no_rate_and_no_onset_explains_more(seed: int, share: float, lost: tuple[int, ...]) -> None:
    rng = Random(seed)
    beliefs = [belief(rng, sick=index < 4, share=share, lost=lost) for index in range(8)]
    sick = [each for each in beliefs if any(each.bad)]
    passed = [float(sum(each.total[index] for each in beliefs if each not in sick)) for index in range(BINS)]
    found = fit(CrossingTrials((each, Load(8)) for each in beliefs), BINS)
    assert found.past <= upper_bound(sick, passed, USUAL) + 1e-9


def test_what_many_trains_passed_explains_little() -> None:
    cell = Cell(ROUTE, 8, BINS)
    for age_bin in (0, 3):
        cell.add(0.0, age_bin, True, 8, 1)
    sick = [Belief(cell, Expectation.usual(USUAL, BINS))]
    assert upper_bound(sick, [0.0] * BINS, USUAL) > 10
    assert upper_bound(sick, [500.0] * BINS, USUAL) < 1
