from __future__ import annotations

import pytest

from kubesonar.core.diagnosis.joining.past_bursts import PastBursts


def lost(*trains: tuple[str, float]) -> PastBursts:
    """Bursts by trains between two nodes, written as "a-b"."""
    return PastBursts((frozenset(between.split("-")), at) for between, at in trains)


@pytest.mark.parametrize(
    ("trains", "struck"),
    [
        ([("a-b", 100.0)], True),
        ([("b-a", 101.9)], True),
        ([("a-b", 103.0)], False),
        ([("a-c", 100.0)], False),
        ([("a-c", 100.0), ("a-c", 101.0)], False),
        ([("a-c", 100.0), ("d-a", 101.0)], True),
        ([("a-c", 100.0), ("a-d", 105.0)], False),
        ([("b-c", 100.0), ("b-d", 100.5)], True),
        ([("c-d", 100.0), ("c-e", 100.5)], False),
        ([], False),
    ],
)
def test_a_burst_strikes_what_lies_between_two_nodes_or_a_node_that_lost_trains_with_two_others(
    trains: list[tuple[str, float]], struck: bool
) -> None:
    assert lost(*trains).struck("a", ["b"], 100.0) is struck


def test_of_a_target_whose_node_is_not_known_the_source_tells() -> None:
    assert not lost(("a-b", 100.0)).struck("a", ["", "a"], 100.0)
    assert lost(("a-b", 100.0), ("a-c", 100.0)).struck("a", [""], 100.0)


def test_one_of_several_servers_is_enough() -> None:
    assert lost(("a-c", 100.0)).struck("a", ["b", "c"], 100.0)
