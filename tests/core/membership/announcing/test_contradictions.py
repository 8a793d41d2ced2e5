"""A coordinator whose roster is wrong gives way to those whose roster is right."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from kubesonar.core.excuses import ROSTER_LAG
from kubesonar.core.membership.announcing.contradictions import Contradictions
from kubesonar.model import Condition, State
from kubesonar.sim.node import SimNode
from kubesonar.sim.world import view_of
from tests.sim.cluster import Cluster


def test_one_claimant_is_not_enough_however_long_it_claims() -> None:
    found = Contradictions()
    assert not any(found.claimed(float(at), "a", "z") for at in range(0, 300, 4))


def test_two_that_claim_it_for_as_long_as_rosters_may_lag_are() -> None:
    found = Contradictions()
    told = [(at, source) for at in range(0, 100, 4) for source in "ab" if found.claimed(float(at), source, "z")]
    assert told[0] == (ROSTER_LAG, "a")


def test_one_that_paused_begins_anew() -> None:
    found = Contradictions()
    for at in range(0, 56, 4):
        assert not found.claimed(float(at), "a", "z") and not found.claimed(float(at), "b", "z")
    assert not found.claimed(70.0, "b", "z") and not found.claimed(70.0, "a", "z")


def watched_by_others(cluster: Cluster) -> str:
    """A member that two others than the coordinator watch."""
    view, first = cluster.world.view, cluster.coordinator
    watches = Counter(name for other in view.members if other != first for name in view.neighbours(other, 3))
    return min(name for name, count in watches.items() if count >= 2 and name != first)


def wrong_view(cluster: Cluster, name: str, state: State) -> Any:
    return view_of(
        type(one)(one.name, one.node, one.addresses, one.port, zone=one.zone, state=state) if one.name == name else one
        for one in cluster.world.members
    )


@pytest.mark.parametrize("state", [State.DRAINING, State.DELETED])
def test_a_coordinator_whose_roster_alone_excuses_a_dead_member_gives_way(state: State) -> None:
    cluster = Cluster(6).started()
    first = cluster.coordinator
    victim = watched_by_others(cluster)
    laggard: SimNode = cluster.world.nodes[first]
    laggard.feed(wrong_view(cluster, victim, state))
    cluster.world.power_off(victim)
    cluster.run(ROSTER_LAG - 5)
    assert cluster.told() == []
    cluster.run(30)
    assert cluster.coordinator != first
    assert cluster.told() == [(victim, Condition.DEAD)]
