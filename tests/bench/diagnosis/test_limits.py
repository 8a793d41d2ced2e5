from __future__ import annotations

import pytest

from bench.diagnosis.cluster import Shape
from bench.diagnosis.limits import after, limits, table

SHAPE = Shape(nodes=6)


def test_twice_the_packets_tell_in_half_the_time() -> None:
    assert after(100.0, 0.02, 10.0) == pytest.approx(2 * after(200.0, 0.02, 10.0), rel=0.2)


def test_less_loss_takes_longer_and_a_pair_longer_than_a_node() -> None:
    found = {limit.part: limit for limit in limits(SHAPE)}
    node, pair = found["node, one way"].after, found["pair"].after
    assert node[0.3] <= node[0.1] <= node[0.02] <= node[0.005]
    assert all(pair[share] >= node[share] for share in node)


def test_a_pair_is_crossed_by_the_trains_of_both_its_ends() -> None:
    """Each of two members of either network sends 7 small datagrams each 2.5 s, and answers those of the other."""
    (pair,) = [limit for limit in limits(SHAPE) if limit.part == "pair"]
    assert pair.subjects == 30
    assert pair.rate == pytest.approx(2 * 2 * 7 / 2.5)
    assert "| pair | 30 | 11 |" in table(SHAPE)
