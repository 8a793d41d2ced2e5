"""Random histories of DNS pods under the remedy: never two at once, never over budget, never a healthy pod, never the
last that answers, and a sick one in time."""

from __future__ import annotations

from random import Random

import pytest

from kubesonar.core.remedy.events import Eviction
from kubesonar.core.remedy.options import RemedyOptions, RepairMode
from kubesonar.sim.dns_cluster import Ailment, DnsCluster, DoctorOffice
from kubesonar.sim.dns_history import DnsHistory, RestartOracles

BLOCK = 30
"""Histories of one test."""


def complaints(seeds: range) -> dict[int, list[str]]:
    """What the oracles say, by seed; every other history is sparse."""
    found = {}
    for seed in seeds:
        history = DnsHistory(Random(seed), sparse=seed % 2 == 1)
        history.play()
        if history.complaints:
            found[seed] = history.complaints
    return found


@pytest.mark.parametrize("block", range(4))
def test_in_a_hundred_histories_nothing_happens_that_must_not(block: int) -> None:
    assert complaints(range(block * BLOCK, (block + 1) * BLOCK)) == {}


@pytest.mark.parametrize("seed", [1128])
def test_nor_in_those_in_which_it_once_did(seed: int) -> None:
    assert complaints(range(seed, seed + 1)) == {}


@pytest.mark.long
@pytest.mark.parametrize("block", range(4, 100))
def test_nor_in_thousands(block: int) -> None:
    assert complaints(range(block * BLOCK, (block + 1) * BLOCK)) == {}


def test_most_histories_have_restarts() -> None:
    """Histories in which nothing is restarted would show nothing."""
    histories = [DnsHistory(Random(seed)) for seed in range(20)]
    for history in histories:
        history.play()
    assert sum(history.oracles.restarts for history in histories) > 2 * len(histories)


@pytest.mark.parametrize("seed", [3, 77])
def test_a_seed_replays_a_history(seed: int) -> None:
    def played() -> tuple[int, list[str]]:
        history = DnsHistory(Random(seed))
        history.play()
        return history.oracles.restarts, sorted(history.cluster.pods)

    assert played() == played()


def unplugged(asking: int, *, udp: bool) -> tuple[int, list[str]]:
    """What becomes of a DNS pod that other nodes do not reach in five minutes, asked from so many of six nodes; with
    `udp`, because no UDP gets to its node."""
    rng = Random(1)
    cluster = DnsCluster(rng, nodes=6, pods=2)
    oracles = RestartOracles(cluster, RemedyOptions())
    DoctorOffice(cluster, RemedyOptions(repair=RepairMode.ON), 1, oracles.saw)
    cluster.asking = cluster.nodes[6 - asking :]
    pod = cluster.present()[0]
    if udp:
        cluster.udp_ways |= {(other, pod.node) for other in cluster.nodes}
    else:
        pod.falls_ill(cluster.now, Ailment.UNPLUGGED)
    cluster.run(300)
    return oracles.restarts, oracles.complaints


def test_a_pod_that_nobody_reaches_on_a_node_that_all_reach_is_restarted() -> None:
    assert unplugged(4, udp=False) == (1, [])


def test_and_not_where_its_node_is_not_reached_by_udp_either_or_itself_hears_it() -> None:
    assert unplugged(4, udp=True) == (0, [])
    assert unplugged(6, udp=False) == (0, [])


def test_oracles_see_what_must_not_happen() -> None:
    history = DnsHistory(Random(1))
    cluster = history.cluster
    for pod in cluster.present():
        cluster.evict(pod.uid)
    assert any("is well" in sentence for sentence in history.complaints)
    assert any("the last that answers" in sentence for sentence in history.complaints)


def test_an_eviction_ends_as_the_api_server_has_it() -> None:
    cluster = DnsCluster(Random(1), nodes=3, pods=2)
    first, second = cluster.present()
    cluster.least_ready = 2
    assert cluster.evict(first.uid) is Eviction.BLOCKED
    first.falls_ill(cluster.now, Ailment.GONE)
    cluster.run(60)
    cluster.least_ready = 1
    assert cluster.evict(first.uid) is Eviction.DONE
    assert cluster.evict(first.uid) is Eviction.GONE
    cluster.permitted = False
    assert cluster.evict(second.uid) is Eviction.REFUSED
    cluster.api = False
    assert cluster.evict(second.uid) is Eviction.UNCERTAIN
    assert cluster.round().pods is None
