from __future__ import annotations

from random import Random

import pytest

from bench.diagnosis.cluster import API, Cluster, Place, Shape
from bench.diagnosis.loss import Bursts, Flapping, Growing, Loss, Steady
from bench.diagnosis.network import Effect, Flow, VirtualNetwork, crossed
from bench.diagnosis.tcp import connect, deliver

UDP = Flow("udp", 7473)


@pytest.fixture
def cluster() -> Cluster:
    return Cluster(Shape(nodes=4, zones=2), Random(1))


@pytest.fixture
def network(cluster: Cluster) -> VirtualNetwork:
    return VirtualNetwork(cluster, Random(2))


def test_a_packet_between_pods_of_two_zones_crosses_both_pod_networks_both_links_and_the_zones(
    cluster: Cluster,
) -> None:
    assert crossed(cluster.places["node-1-pod"], cluster.places["node-2-pod"], UDP) == [
        ("pod_out", "node-1"),
        ("node_out", "node-1"),
        ("zone", "a", "b"),
        ("pair", "node-1", "node-2"),
        ("pair_pod", "node-1", "node-2"),
        ("node_in", "node-2"),
        ("pod_in", "node-2"),
    ]


def test_a_packet_between_hosts_of_a_zone_crosses_their_links_only(cluster: Cluster) -> None:
    assert crossed(cluster.places["node-1-host"], cluster.places["node-3-host"], UDP) == [
        ("node_out", "node-1"),
        ("pair", "node-1", "node-3"),
        ("node_in", "node-3"),
    ]


def test_a_packet_within_a_node_crosses_no_link() -> None:
    place = Place("coredns-1", "node-1", "a")
    assert crossed(Place("node-1-host", "node-1", "a"), place, UDP) == []


def test_a_request_to_a_service_crosses_the_proxy_of_its_own_node(cluster: Cluster) -> None:
    found = crossed(cluster.places["node-1-host"], cluster.places[API], Flow("tcp", 443, service=True))
    assert ("proxy", "node-1") in found


def test_an_effect_hits_only_what_it_picks_and_ends_when_lifted(cluster: Cluster, network: VirtualNetwork) -> None:
    one, other = cluster.places["node-1-host"], cluster.places["node-3-host"]
    effect = Effect(("node_in", "node-3"), Steady(1.0), hits=lambda flow: flow.proto == "udp")
    network.apply([effect])
    assert network.way(one, other, UDP).arrivals(0.0, 8) == []
    assert network.way(one, other, Flow("icmp")).passes(0.0)
    assert network.way(other, one, UDP).passes(0.0)
    network.lift([effect])
    assert network.way(one, other, UDP).arrivals(0.0, 8) == list(range(8))


@pytest.mark.parametrize("share", [0.005, 0.1, 0.3])
def test_background_and_effects_multiply(cluster: Cluster, share: float) -> None:
    network = VirtualNetwork(Cluster(Shape(nodes=4, background=0.001), Random(1)), Random(2))
    network.apply([Effect(("node_in", "node-3"), Steady(share))])
    way = network.way(cluster.places["node-1-host"], cluster.places["node-3-host"], UDP)
    assert way.loss(0.0) == pytest.approx(1 - (1 - share) * 0.999**3)


@pytest.mark.parametrize("loss", [Bursts.of_mean(0.1, 1.0, Random(5)), Flapping(0.0, 20.0, 2.0, 1.0), Steady(0.1)])
def test_every_manner_of_loss_has_the_mean_that_was_asked_for(loss: Loss) -> None:
    samples = [loss.at(step / 10) for step in range(200_000)]
    assert sum(samples) / len(samples) == pytest.approx(0.1, rel=0.1)


def test_loss_that_grows_is_a_third_at_first() -> None:
    growing = Growing(0.9)
    assert [growing.at(at) for at in (50.0, 69.0, 70.0, 90.0)] == pytest.approx([0.3, 0.3, 0.9, 0.9])


def test_zones_have_as_many_nodes_as_is_said() -> None:
    cluster = Cluster(Shape(nodes=4, sizes=(1, 3)), Random(1))
    assert list(cluster.zone_of.values()) == ["a", "b", "b", "b"]


def test_who_asks_for_a_later_time_changes_no_burst_for_the_others() -> None:
    asked_in_order, asked_for_later_first = (Bursts.of_mean(0.3, 1.0, Random(1)) for _ in range(2))
    asked_for_later_first.at(100.0)
    times = [step / 4 for step in range(400)]
    assert [asked_for_later_first.at(at) for at in times] == [asked_in_order.at(at) for at in times]


def test_a_lost_syn_is_sent_again_after_a_second(cluster: Cluster, network: VirtualNetwork) -> None:
    one, other = cluster.places["node-1-host"], cluster.places["node-3-host"]
    network.apply([Effect(("node_in", "node-3"), Flapping(0.0, 10.0, 0.5, 1.0))])
    there, back = network.way(one, other, UDP), network.way(other, one, UDP)
    done = connect(there, back, 0.0, 2.0)
    assert done.after is not None
    assert 1.0 < done.after < 1.1
    assert done.retransmits == 1


def test_a_dead_way_back_is_no_connection(cluster: Cluster, network: VirtualNetwork) -> None:
    one, other = cluster.places["node-1-host"], cluster.places["node-3-host"]
    network.apply([Effect(("node_out", "node-3"), Steady(1.0))])
    there, back = network.way(one, other, UDP), network.way(other, one, UDP)
    assert connect(there, back, 0.0, 2.0).after is None
    assert deliver(back, 0.0, 3.0) is None
