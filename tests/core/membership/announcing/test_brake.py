from __future__ import annotations

from typing import Any

import pytest

from kubesonar.core.membership.announcing.brake import HELD_TOO_LONG, SOBER_PERIOD, Brake
from kubesonar.core.membership.events import Doubted, Quorum
from kubesonar.model import Condition, Network

LED = Quorum(frozenset({Network.POD}), frozenset(), 100.0, 1.0)
ALONE = Quorum(frozenset(), frozenset(), 100.0, 1.0)


def nodes(count: int) -> set[str]:
    return {f"n{number}" for number in range(count)}


@pytest.mark.parametrize(
    ("dead", "of", "holds"),
    [
        (1, 2, False),
        (2, 5, False),
        (2, 3, False),
        (3, 5, True),
        (3, 9, True),
        (3, 10, False),
        (30, 100, False),
        (31, 100, True),
    ],
)
def test_it_holds_above_a_share_of_the_nodes_and_never_below_three(dead: int, of: int, holds: bool) -> None:
    assert Brake(0.3, lambda action: None).holds(0.0, LED, nodes(dead), of) is holds


def test_what_it_says_is_said_once_again_after_a_minute_and_when_it_is_over() -> None:
    said: list[Any] = []
    brake = Brake(0.3, said.append)
    for at in range(200):
        assert brake.holds(float(at), LED, nodes(5), 9)
    assert [(one.what, one.lasting) for one in said] == [(Condition.SUSPECT, 0.0), (Condition.SUSPECT, HELD_TOO_LONG)]
    assert said[1].nodes == ("n0", "n1", "n2", "n3", "n4")
    assert brake.holds(200.0, LED, (), 9), "it stays sober for a while"
    assert said[2] == Doubted(Condition.BACK, 0, 0)
    assert not brake.holds(200.0 + SOBER_PERIOD, LED, (), 9)


def test_without_a_majority_nothing_is_announced_and_nothing_said() -> None:
    said: list[Any] = []
    brake = Brake(0.3, said.append)
    assert brake.holds(0.0, ALONE, (), 9)
    assert brake.holds(1.0, LED, (), 9)
    assert not brake.holds(SOBER_PERIOD, LED, (), 9)
    assert said == []
