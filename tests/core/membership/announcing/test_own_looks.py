"""What one liar can do: nothing that the coordinator does not see itself."""

from __future__ import annotations

import pytest

from kubesonar.core.membership.events import Received
from kubesonar.core.membership.messages import Reachability, Seen, StatusClaim
from kubesonar.model import Condition
from tests.sim.cluster import Cluster


@pytest.mark.parametrize("what", [Condition.DEAD, Condition.GONE, Condition.FROZEN])
@pytest.mark.parametrize("told", [False, True])
def test_a_healthy_member_is_not_announced_whatever_one_liar_claims(what: Condition, told: bool) -> None:
    cluster = Cluster(5).started()
    head = cluster.coordinator
    assert head not in ("m1", "m2")
    liar, victim = "m1", "m2"
    witnesses = tuple(Seen(name, Reachability.SILENT) for name in ("m3", "m4"))
    epoch = cluster.world.nodes[victim].epoch
    for _ in range(5):
        claim = StatusClaim(victim, epoch, 0, what, 0.0, told, witnesses)
        cluster.world.feed(head, Received(liar, cluster.world.nodes[liar].epoch, claim))
        cluster.run(1.5)
    assert cluster.told() == [] and cluster.doubted == []


def test_claims_about_all_do_not_silence_the_coordinator_for_long() -> None:
    cluster = Cluster(8).started()
    head = cluster.coordinator
    for name, node in cluster.world.nodes.items():
        if name not in (head, "m1"):
            claim = StatusClaim(name, node.epoch, 0, Condition.DEAD)
            cluster.world.feed(head, Received("m1", cluster.world.nodes["m1"].epoch, claim))
    cluster.run(5.0)
    assert cluster.told() == [] and cluster.doubted == []
    cluster.world.kill("m3")
    cluster.run(8.0)
    assert cluster.told() == [("m3", Condition.GONE)]


def test_a_death_is_not_ended_by_a_word() -> None:
    cluster = Cluster(5).started()
    head = cluster.coordinator
    cluster.world.kill("m2")
    cluster.run(8.0)
    back = StatusClaim("m2", cluster.world.nodes["m2"].epoch + 1, 0, Condition.BACK)
    cluster.world.feed(head, Received("m1", cluster.world.nodes["m1"].epoch, back))
    cluster.run(5.0)
    assert cluster.told() == [("m2", Condition.GONE)]
