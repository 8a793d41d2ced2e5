"""All members are restarted at once while something is announced: the one that kept it claims it."""

from __future__ import annotations

import pytest

from kubesonar.core.membership.events import Remembered
from kubesonar.model import Condition
from tests.sim.cluster import Cluster

DEAD = "m1"


def restarted(nodes: int = 5) -> Cluster:
    """A member is dead, and all others were restarted since. The coordinator of before knows what it had announced."""
    cluster = Cluster(nodes, seed=1).started()
    cluster.world.power_off(DEAD)
    cluster.run(12)
    assert cluster.told() == [(DEAD, Condition.DEAD)]
    world, first = cluster.world, cluster.coordinator
    node = world.nodes[first]
    assert node.machine is not None
    kept = tuple(node.machine.open_claims(world.now + node.offset))
    assert [(claim.member, claim.what, claim.told) for claim in kept] == [(DEAD, Condition.DEAD, True)]
    cluster.said.clear()
    for name in set(world.nodes) - {DEAD}:
        world.kill(name)
        world.start(name)
    cluster.run(1.0)
    world.feed(first, Remembered(kept))
    return cluster


def test_who_is_still_dead_is_told_no_second_time_and_its_return_once() -> None:
    cluster = restarted().run(60)
    assert cluster.told() == []
    cluster.world.power_on(DEAD)
    assert cluster.run(20).told() == [(DEAD, Condition.BACK)]


def test_who_came_back_meanwhile_is_told_so() -> None:
    cluster = restarted()
    cluster.world.power_on(DEAD)
    assert cluster.run(20).told() == [(DEAD, Condition.BACK)]


@pytest.mark.parametrize("after", [0.0, 30.0])
def test_who_left_meanwhile_or_later_is_told_so(after: float) -> None:
    cluster = restarted().run(after)
    cluster.world.remove([DEAD])
    assert cluster.run(20).told() == [(DEAD, Condition.LEFT)]


def test_who_was_on_no_roster_any_more_when_all_began_is_told_so() -> None:
    cluster = Cluster(5, seed=1).started()
    cluster.world.power_off(DEAD)
    cluster.run(12)
    world, first = cluster.world, cluster.coordinator
    node = world.nodes[first]
    assert node.machine is not None
    kept = tuple(node.machine.open_claims(world.now + node.offset))
    for name in list(world.nodes):
        world.kill(name)
    world.remove([DEAD])
    cluster.said.clear()
    for name in world.nodes:
        world.start(name)
    cluster.run(1.0)
    world.feed(first, Remembered(kept))
    assert cluster.run(20).told() == [(DEAD, Condition.LEFT)]
