from __future__ import annotations

import pytest

from kubesonar.core.diagnosis.evidence import Cell
from kubesonar.core.diagnosis.inference.belief import Belief, Expectation
from kubesonar.core.diagnosis.inference.likelihood import CrossingTrials, Fit, fit
from kubesonar.core.diagnosis.inference.trial_model import Load, Odds, look_up
from kubesonar.core.diagnosis.parts.traversal import Aspect, End, Traversal, Way
from kubesonar.model import Kind, Path

BINS, TRIALS = 3, 40
ROUTE = Traversal(End("node-1-pod"), End("dns"), Kind.DNS, Path.DNS_SERVICE, Way.ROUND, Aspect.REACH)
QUESTION, LOOK_UP = 1, look_up(1)


def asked(packets: int, failed: float) -> Belief:
    cell = Cell(ROUTE, packets, BINS)
    for number in range(TRIALS):
        cell.add(float(number), 0, number < TRIALS * failed)
    return Belief(cell, Expectation.usual(Odds(0.001, 0.001), BINS))


def of_servers(packets: int, *crossed: float) -> Load:
    return Load(packets, share=sum(crossed) / len(crossed), by_server=crossed)


def fitted(belief: Belief, load: Load) -> Fit:
    return fit(CrossingTrials([(belief, load)]), BINS)


@pytest.mark.parametrize("packets", [QUESTION, LOOK_UP])
def test_what_fails_at_one_server_fails_at_no_other(packets: int) -> None:
    belief = asked(packets, 1.0)
    belief.explain(of_servers(packets, 1.0, 0.0), 0.999, BINS)
    rest = fitted(belief, of_servers(packets, 0.0, 1.0))
    everything = fitted(belief, of_servers(packets, 1.0, 1.0))
    assert rest.rate >= 0.98
    assert rest.gain == pytest.approx(everything.gain, abs=0.1)


@pytest.mark.parametrize("packets", [QUESTION, LOOK_UP])
def test_of_a_server_of_which_all_failures_are_explained_nothing_is_left(packets: int) -> None:
    belief = asked(packets, 0.5)
    before = belief.expectation
    belief.explain(of_servers(packets, 1.0, 0.0, 0.0, 1.0), 0.999, BINS)
    assert fitted(belief, of_servers(packets, 1.0, 0.0, 0.0, 0.0)).gain == pytest.approx(0.0, abs=0.1)
    belief.expectation = before
    assert fitted(belief, of_servers(packets, 1.0, 0.0, 0.0, 1.0)).gain > 40.0


def test_a_share_of_a_server_that_fails_leaves_the_other_share() -> None:
    belief = asked(QUESTION, 0.75)
    belief.explain(of_servers(QUESTION, 1.0, 0.0), 0.5, BINS)
    [(_, _, left)] = belief.expectation.stretches(of_servers(QUESTION, 0.0, 1.0))
    assert left is not None
    assert left.share == pytest.approx(2 / 3, abs=0.01)
    assert fitted(belief, of_servers(QUESTION, 0.0, 1.0)).rate >= 0.92
