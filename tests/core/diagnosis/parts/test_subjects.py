from __future__ import annotations

import pytest

from kubesonar.core.diagnosis.parts import subjects
from kubesonar.core.diagnosis.parts.traversal import End
from kubesonar.model import Network, Path
from tests.core.diagnosis.parts.routes import HERE, SERVICE, THERE, asked


def test_what_stays_on_a_node_crosses_its_pod_network_and_not_its_link() -> None:
    route = asked(Network.HOST, HERE, Path.DNS_POD)
    assert set(subjects.nodes(route)) == set()
    assert set(subjects.pair(route)) == {"node-1>dns-1"}
    assert set(subjects.pod_nodes(route)) == {"node-1"}
    assert set(subjects.nodes_asked(route)) == set(subjects.nodes_asking(route)) == set()


def test_a_service_crosses_the_ways_to_each_server_as_the_server_itself_does() -> None:
    """Otherwise answers of a server that come do not speak against a way by which a Service fails."""
    assert set(subjects.pair(asked(Network.HOST, SERVICE))) == {"node-1>node-2", "node-2>node-1"}
    assert set(subjects.pair(asked(Network.HOST, THERE))) == {"node-1>dns-2", "node-1>node-2", "node-2>node-1"}
    for server in (End("dns-1"), End("dns-2", zone="b")):
        through = asked(Network.HOST, End("dns-service", behind=(server, server)))
        assert set(subjects.pair(through)) == set(subjects.pair(asked(Network.HOST, server)))


@pytest.mark.parametrize("target", [SERVICE, THERE])
def test_a_question_leaves_one_node_and_comes_to_another(target: End) -> None:
    route = asked(Network.HOST, target)
    assert (set(subjects.nodes_asking(route)), set(subjects.nodes_asked(route))) == ({"node-1"}, {"node-2"})
