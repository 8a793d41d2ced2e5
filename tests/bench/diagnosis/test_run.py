from __future__ import annotations

import pytest

from bench.diagnosis.cluster import Shape
from bench.diagnosis.rows import parse, shapes
from bench.diagnosis.run import Pace, play
from kubesonar.model import Network

pytestmark = pytest.mark.timeout(900)  # up to 4 s of CPU each, of which idle priority gives few


@pytest.mark.parametrize(
    ("row", "nodes"),
    [
        ("dns_udp loss 0.3", 3),
        pytest.param("node_family loss 0.3", 3, marks=pytest.mark.long),
        ("node_family_in", 3),
        pytest.param("node_family_out loss 0.3", 3, marks=pytest.mark.long),
        ("pair_udp loss 0.1", 3),
        ("pair_udp loss 0.3", 5),
        ("pair_both", 3),
    ],
)
def test_small_clusters_are_told_what_is_sick_and_nothing_else_on_the_way(row: str, nodes: int) -> None:
    (shape,) = shapes(parse(row), Shape(nodes=nodes))
    (score,) = play(parse(row), shape, 0, ["watch"], Pace(2.0, 26.0, 15.0))
    assert score.first_right is not None
    assert score.wrongs == ()
    assert score.flips == 0
    assert score.silence is not None


@pytest.mark.parametrize("seed", [0, pytest.param(1, marks=pytest.mark.long)])
def test_what_every_component_loses_a_little_of_is_no_finding_at_three_nodes(seed: int) -> None:
    shape = Shape(nodes=3, background=0.001)
    (score,) = play(parse("healthy"), shape, seed, ["watch"], Pace(5.0, 26.0, 15.0))
    assert score.wrongs == ()


@pytest.mark.parametrize("seed", [2101, 2103])
def test_a_node_that_is_well_again_leaves_no_finding_of_what_it_took_with_it(seed: int) -> None:
    (shape,) = shapes(parse("node"), Shape(nodes=3))
    (score,) = play(parse("node"), shape, seed, ["watch"], Pace(2.0, 26.0, 15.0))
    assert score.wrongs == ()
    assert score.silence is not None
    assert score.silence <= 10


def test_what_is_over_is_told_no_longer_though_some_agents_can_neither_be_read_nor_heard() -> None:
    shape = Shape(nodes=3, zones=2, k=5, families=(6,), unread=0.34, clocks=True)  # of one host agent only it is read
    (score,) = play(parse("dns_all_udp for 30"), shape, 5103, ["watch"], Pace(5.0, 26.0, 15.0))
    assert score.first_right is not None
    assert score.silence is not None


def test_where_all_agents_are_in_the_host_network_their_own_service_is_not_told_beside_a_way_to_one_of_them() -> None:
    shape = Shape(nodes=3, networks=(Network.HOST,))
    (score,) = play(parse("pair"), shape, 3801, ["watch"], Pace(2.0, 26.0, 15.0))
    assert score.wrongs == ()
    assert score.silence is not None


def test_a_slow_link_is_told_though_each_way_is_asked_once_a_minute() -> None:
    (score,) = play(parse("link_rate"), Shape(nodes=3), 4002, ["watch"], Pace(10.0, 130.0, 10.0))
    assert score.first_right is not None
    assert (score.wrongs, score.flips) == ((), 0)


@pytest.mark.parametrize("row", ["conntrack_full", "new_flows_in"])
def test_new_flows_that_fail_at_a_node_are_told_as_one_finding_of_it(row: str) -> None:
    (score,) = play(parse(row), Shape(nodes=3), 5221, ["watch"], Pace(2.0, 26.0, 15.0))
    assert score.first_right is not None
    assert score.first_right <= 14
    assert score.wrongs == ()
