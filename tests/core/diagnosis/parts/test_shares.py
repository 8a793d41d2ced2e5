from __future__ import annotations

import msgspec

from kubesonar.core.diagnosis.parts import shares, subjects
from kubesonar.core.diagnosis.parts.traversal import EITHER, End
from kubesonar.model import Network, Path
from tests.core.diagnosis.parts.routes import HERE, THERE, asked


def test_of_a_service_with_a_server_on_the_same_node_only_a_part_crosses_the_link() -> None:
    route = asked(Network.HOST)
    assert set(subjects.nodes(route)) == {"node-1", "node-2"}
    assert shares.mean_share(shares.part_of_node(route, "node-1")) == 0.5
    assert shares.mean_share(shares.part_of_pod_network(route, "node-1")) == 0.5
    assert shares.mean_share(shares.part_of_pod_network(asked(Network.POD), "node-1")) == 1.0
    assert "node-1>node-1" not in subjects.pair(route)


def test_a_share_of_a_family_is_that_of_its_node_or_pair() -> None:
    route = asked(Network.POD)
    assert shares.mean_share(shares.part_of_family(route, "node-2 ipv4")) == 0.5
    assert shares.mean_share(shares.part_of_family(route, "node-1>node-2 ipv4")) == 0.5


def test_of_trials_whose_family_is_not_known_half_went_by_each() -> None:
    route = msgspec.structs.replace(asked(Network.POD), family=EITHER)
    assert set(subjects.by_family(subjects.target)(route)) == {f"{route.target.name} ipv{family}" for family in (4, 6)}
    assert shares.mean_share(shares.part_of_family(route, "node-2 ipv6")) == 0.25


def test_of_a_service_with_a_server_on_the_same_node_only_a_part_goes_between_nodes() -> None:
    route = asked(Network.HOST)
    assert list(subjects.between_nodes(route)) == ["all nodes"]
    assert shares.mean_share(shares.part_between_nodes(route, "all nodes")) == 0.5
    outside = msgspec.structs.replace(route, target=End("api"))
    assert not list(subjects.between_nodes(outside))


def test_of_the_agents_service_the_agents_of_a_node_get_their_part_and_of_what_goes_to_them_all() -> None:
    route = asked(Network.HOST)
    assert [
        shares.mean_share(shares.part_of_agents(route, each))
        for each in ("node-1", route.target.behind[1].name, "node-9")
    ] == [
        0.5,
        0.5,
        0.0,
    ]
    assert shares.mean_share(shares.part_of_agents(asked(Network.HOST, THERE, Path.POD), "node-2")) == 1.0


def test_a_question_of_the_host_network_to_a_server_on_the_same_node_leaves_neither_node_nor_pod() -> None:
    assert shares.mean_share(shares.part_off_node(asked(Network.HOST, HERE, Path.DNS_POD), "node-1>dns")) == 0.0
    assert shares.mean_share(shares.part_off_node(asked(Network.POD, HERE, Path.DNS_POD), "node-1>dns")) == 1.0
    assert shares.mean_share(shares.part_off_node(asked(Network.HOST, THERE, Path.DNS_POD), "node-1>dns")) == 1.0
    assert shares.mean_share(shares.part_off_node(asked(Network.HOST), "node-1>dns")) == 0.5
