from __future__ import annotations

import pytest

from kubesonar.core.diagnosis.evidence import Cell
from kubesonar.core.diagnosis.inference.belief import Belief, Expectation
from kubesonar.core.diagnosis.inference.likelihood import Fit
from kubesonar.core.diagnosis.inference.suspects import choose_ways, relatives
from kubesonar.core.diagnosis.inference.trial_model import Odds
from kubesonar.core.diagnosis.parts.table import PARTS
from kubesonar.core.diagnosis.parts.traversal import Aspect, End, Traversal, Way
from kubesonar.model import Kind, Path

NODES = [End(f"node-{number}-pod", f"node-{number}", "a") for number in (1, 2, 3)]


def trains(source: End, target: End, bad: bool) -> Belief:
    """40 trains from one node to another, of which each second loses two of eight datagrams, or none does."""
    cell = Cell(Traversal(source, target, Kind.UDP, Path.POD, Way.FORWARD, Aspect.REACH), 8, 2)
    for number in range(40):
        cell.add(float(number), 0, bad and number % 2 == 0, 8, 2)
    return Belief(cell, Expectation.usual(Odds(0.001, 0.0005), 2))


@pytest.mark.parametrize("inward", [True, False])
@pytest.mark.parametrize("name", ["node", "pod_network"])
def test_a_part_that_is_taken_as_it_is_may_lose_one_way_only(name: str, inward: bool) -> None:
    one, *others = NODES
    beliefs = [trains(other, one, inward) for other in others] + [trains(one, other, not inward) for other in others]
    key = (next(row for row, part in enumerate(PARTS) if part.name == name), "node-1")
    found = Fit(100.0, 0.05, 2, 0, 100.0)
    assert choose_ways(key, found, {key: beliefs}, lambda key: PARTS[key[0]].penalty).key == key
    ways = choose_ways(key, found, dict.fromkeys(relatives(key), beliefs), lambda key: PARTS[key[0]].penalty)
    assert PARTS[ways.key[0]].name == name + ("_in" if inward else "_out")
