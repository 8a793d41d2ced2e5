"""Elections and deaths, in virtual time."""

from itertools import pairwise
from random import Random

import pytest

from kubesonar.compat.knh.election.bully import Bully
from kubesonar.compat.knh.election.events import NotifyCluster, NotifyPeer, PeersListed
from kubesonar.compat.knh.election.peer_state import Timing
from tests.compat.knh.cluster import Cluster, pod, statuses


def settled(size: int, **more: bool) -> Cluster:
    cluster = Cluster(size, **more)
    cluster.run(40)
    cluster.told.clear()
    return cluster


def test_the_greatest_id_is_elected_as_a_string() -> None:
    cluster = settled(11)
    assert cluster.coordinators() == ["node-9"]
    assert {bully.coordinator for bully in cluster.pods.values()} == {pod("node-9").id}


def test_elections_that_change_nothing_change_nothing() -> None:
    cluster = settled(9)
    cluster.changes.clear()
    cluster.run(120)
    assert cluster.changes == []


def test_a_death_is_told_once_and_the_return_is_there_to_be_told() -> None:
    cluster = settled(5)
    cluster.kill("node-2")
    died = cluster.sim.now
    cluster.run(60)
    assert cluster.deaths() == [("node-4", "node-2")]
    assert cluster.told[0][0] - died < 8
    cluster.start("node-2")
    cluster.run(60)
    told = [what for _, _, what in cluster.told if isinstance(what, NotifyPeer)]
    assert told == [NotifyPeer(pod("node-2"), False), NotifyPeer(pod("node-2"), True)]


def test_knh10_silent_peers_hold_up_nobody() -> None:
    cluster = settled(20)
    silent = [f"node-{number}" for number in range(10, 19)]
    cluster.frozen |= {pod(node).id for node in silent}
    froze = cluster.sim.now
    cluster.run(60)
    assert sorted(cluster.deaths()) == [("node-9", node) for node in silent]
    assert max(at for at, _, what in cluster.told if isinstance(what, NotifyPeer)) - froze < 20


def test_knh17_a_dead_coordinator_is_followed_at_once_by_the_next_who_tells_its_death() -> None:
    cluster = settled(5)
    cluster.kill("node-4")
    cluster.run(20)
    assert cluster.coordinators() == ["node-3"]
    assert cluster.deaths() == [("node-3", "node-4")]


def test_knh15_a_successor_does_not_tell_again_who_was_told_dead() -> None:
    cluster = settled(5)
    cluster.kill("node-0")
    cluster.run(30)
    cluster.kill("node-4")
    cluster.run(40)
    assert cluster.deaths() == [("node-4", "node-0"), ("node-3", "node-4")]


def test_who_died_again_is_told_again_by_a_successor() -> None:
    cluster = settled(5)
    cluster.kill("node-0")
    cluster.run(30)
    cluster.start("node-0", [f"node-{number}" for number in range(5)])
    cluster.run(40)
    cluster.kill("node-0")
    cluster.kill("node-4")
    cluster.run(40)
    assert sorted(cluster.deaths()[1:]) == [("node-3", "node-0"), ("node-3", "node-4")]


def test_a_greater_pod_that_joins_takes_over() -> None:
    cluster = settled(3)
    cluster.start("node-7")
    cluster.run(40)
    assert cluster.coordinators() == ["node-7"]
    assert cluster.deaths() == []


def test_a_coordinator_that_returns_takes_over_again_and_nobody_dies_of_it() -> None:
    cluster = settled(3)
    cluster.kill("node-2")
    cluster.run(30)
    cluster.start("node-2")
    cluster.run(40)
    assert cluster.coordinators() == ["node-2"]
    assert cluster.deaths() == [("node-1", "node-2")]


def test_scaled_down_is_not_dead() -> None:
    cluster = settled(5)
    cluster.kill("node-1")
    cluster.kill("node-4")
    cluster.run(0.5)
    cluster.enlist()
    cluster.run(60)
    assert cluster.deaths() == []
    assert cluster.coordinators() == ["node-3"]
    assert statuses(cluster)[-1] == {"node-0": True, "node-2": True}


def test_a_rolling_restart_of_all_tells_no_death() -> None:
    cluster = settled(6)
    for number in range(6):
        cluster.kill(f"node-{number}")
        cluster.enlist()
        cluster.run(3)
        cluster.start(f"node-{number}")
        cluster.run(10)
    cluster.run(60)
    assert cluster.deaths() == []
    assert cluster.coordinators() == ["node-5"]


def test_knh25_who_never_answered_is_not_told() -> None:
    cluster = Cluster(3)
    cluster.enlist(["node-0", "node-1", "node-2", "node-10"])
    cluster.run(100)
    assert cluster.deaths() == []
    assert all(set(status) == {"node-0", "node-1"} for status in statuses(cluster))


def test_a_coordinator_that_fails_the_sanity_check_tells_nothing() -> None:
    cluster = settled(4, checks=True)
    cluster.insane.add(pod("node-3").id)
    for number in range(3):
        cluster.cut |= {(pod("node-3").id, pod(f"node-{number}").id)}
    cluster.run(100)
    assert [what for _, by, what in cluster.told if by == pod("node-3").id] == []
    cluster.insane.clear()
    cluster.cut.clear()
    cluster.run(40)
    assert cluster.deaths() == []


def test_a_coordinator_that_passes_the_sanity_check_tells() -> None:
    cluster = settled(4, checks=True)
    cluster.kill("node-1")
    cluster.run(30)
    assert cluster.deaths() == [("node-3", "node-1")]


def test_knh18_the_cluster_is_told_after_each_election_and_as_it_is_now() -> None:
    cluster = settled(4)
    cluster.kill("node-1")
    cluster.run(50)
    times = [at for at, _, what in cluster.told if isinstance(what, NotifyCluster)]
    assert all(15 <= later - earlier < 22 for earlier, later in pairwise(times))
    death = next(at for at, _, what in cluster.told if isinstance(what, NotifyPeer))
    after = next(what for at, _, what in cluster.told if isinstance(what, NotifyCluster) and at >= death)
    assert {peer.node_name: alive for peer, alive in after.peers} == {"node-0": True, "node-1": False, "node-2": True}


def test_knh18_alone_the_status_is_empty() -> None:
    cluster = Cluster(1)
    cluster.run(20)
    assert statuses(cluster) == [{}]


def test_no_elections_before_the_api_lists_ourselves() -> None:
    bully = Bully(pod("node-1"), Timing(), checks=False)
    bully.step(0.0, PeersListed((), myself=False))
    assert bully.due is None
    bully.step(1.0, PeersListed((), myself=True))
    assert bully.due == 16.0


def test_a_split_by_one_way_links_heals() -> None:
    cluster = settled(4)
    cluster.cut.add((pod("node-0").id, pod("node-3").id))
    cluster.run(60)
    assert "node-3" in cluster.coordinators()
    cluster.cut.clear()
    cluster.run(40)
    assert cluster.coordinators() == ["node-3"]


@pytest.mark.parametrize("size", [10, 50, 150])
def test_calls_are_linear_in_pods(size: int) -> None:
    cluster = settled(size)
    cluster.calls = 0
    cluster.run(60)
    assert cluster.calls < 60 * size * 1.2


def test_a_claim_is_believed_only_from_the_address_of_its_id() -> None:
    cluster = settled(3)
    bully = cluster.pods[pod("node-0").id]
    assert bully.knows(pod("node-1").id, pod("node-1").ip)
    assert not bully.knows(pod("node-1").id, pod("node-2").ip)
    assert not bully.knows("zzz", pod("node-2").ip)
    assert not bully.knows("", "")


@pytest.mark.parametrize("seed", range(40))
def test_whatever_happened_all_agree_in_the_end_and_know_who_is_there(seed: int) -> None:
    rng = Random(seed)
    size = rng.randint(2, 9)
    cluster = Cluster(size, checks=rng.random() < 0.3)
    nodes = [f"node-{number}" for number in range(size)]
    up = set(nodes)
    for _ in range(12):
        cluster.run(rng.choice([0, 0.001, 0.5, 3, 10, 40]) * rng.random())
        node, what = rng.choice(nodes), rng.randrange(6)
        if what <= 1 and node in up and len(up) > 1:
            cluster.kill(node)
            up.remove(node)
        elif what <= 2 and node not in up:
            cluster.start(node, nodes)
            up.add(node)
        elif what == 3:
            cluster.cut.add((pod(rng.choice(nodes)).id, pod(node).id))
        elif what == 4:
            cluster.frozen ^= {pod(node).id}
        else:
            cluster.enlist(rng.choice([nodes, sorted(up)]))
    cluster.cut.clear()
    cluster.frozen.clear()
    cluster.enlist(nodes)
    cluster.run(120)
    greatest = max(up)
    assert cluster.coordinators() == [greatest]
    assert {bully.coordinator for bully in cluster.pods.values()} == {pod(greatest).id}
    last = statuses(cluster)[-1]
    assert {node for node, alive in last.items() if alive} == up - {greatest}
