from __future__ import annotations

import pytest

from kubesonar.core.diagnosis.evidence import Cell
from kubesonar.core.diagnosis.inference.belief import Belief, Expectation
from kubesonar.core.diagnosis.inference.trial_model import Odds
from kubesonar.core.diagnosis.inference.two_rates import WayCounts, one_rate, two_rates
from kubesonar.core.diagnosis.parts.traversal import Aspect, End, Traversal, Way
from kubesonar.model import Kind, Path

HERE, THERE = End("node-1-pod", "node-1"), End("node-2-pod", "node-2")


def trains(way: Way, lost: int, sent: int = 5) -> Belief:
    """Of 40 trains each second one lost so many of its datagrams."""
    cell = Cell(Traversal(HERE, THERE, Kind.UDP, Path.POD, way, Aspect.REACH), 5, 2)
    for number in range(40):
        cell.add(float(number), 0, lost > 0 and number % 2 == 0, sent, lost)
    return Belief(cell, Expectation.usual(Odds(0.001, 0.0005), 2))


@pytest.mark.parametrize("lost", [1, 5])
def test_the_way_that_loses_packets_gets_the_rate(lost: int) -> None:
    beliefs = [trains(Way.FORWARD, 0), trains(Way.BACK, lost)]
    counts = WayCounts(beliefs, "node-1", None, 2)
    only_in = one_rate(counts, inward=True)
    assert only_in.inward > 0.05
    assert only_in.gain > one_rate(counts, inward=False).gain


def test_trains_of_which_nothing_was_sent_tell_no_rate() -> None:
    """Such trains come from outside: an agent whose kernel sent nothing, or one that says so."""
    assert two_rates(WayCounts([trains(Way.FORWARD, 0, sent=0)], "node-1", None, 2), 0.0).gain < 1.0
