from __future__ import annotations

from kubesonar.core.diagnosis import path_features
from kubesonar.core.diagnosis.path_features import Aspect, End, Traversal, Way
from kubesonar.model import Kind, Network, Path

HERE = End("dns-1", "node-1", "a")
THERE = End("dns-2", "node-2", "b")
SERVICE = End("dns-service", behind=(HERE, THERE))


def asked(network: Network, target: End = SERVICE, path: Path = Path.DNS_SERVICE) -> Traversal:
    source = End(f"node-1-{network.value}", "node-1", "a", network)
    return Traversal(source, target, Kind.DNS, path, Way.ROUND, Aspect.REACH, 53)


def test_what_stays_on_a_node_crosses_its_pod_network_and_not_its_link() -> None:
    route = asked(Network.HOST, HERE, Path.DNS_POD)
    assert set(path_features.nodes(route)) == set()
    assert set(path_features.pair(route)) == {"node-1>dns-1"}
    assert set(path_features.pod_nodes(route)) == {"node-1"}


def test_of_a_service_with_a_server_on_the_same_node_only_a_part_crosses_the_link() -> None:
    route = asked(Network.HOST)
    assert set(path_features.nodes(route)) == {"node-1", "node-2"}
    assert path_features.part_of_node(route, "node-1") == 0.5
    assert path_features.part_of_pod_network(route, "node-1") == 0.5
    assert path_features.part_of_pod_network(asked(Network.POD), "node-1") == 1.0
    assert "node-1>node-1" not in path_features.pair(route)


def test_questions_from_a_pod_to_a_service_of_pods_cross_the_way_between_pod_networks() -> None:
    assert path_features.passes_way_pod(asked(Network.POD))
    assert not path_features.passes_way_pod(asked(Network.HOST))


def test_a_share_of_a_family_is_that_of_its_node_or_pair() -> None:
    route = asked(Network.POD)
    assert path_features.part_of_family(route, "node-2 ipv4") == 0.5
    assert path_features.part_of_family(route, "node-1>node-2 ipv4") == 0.5


def test_names_outside_are_asked_of_the_servers_beyond_the_clusters_own() -> None:
    outside = asked(Network.POD, End("upstream", behind=(HERE, THERE)), Path.DNS_UPSTREAM)
    assert path_features.upstream(outside)
    assert not path_features.upstream(asked(Network.POD))
