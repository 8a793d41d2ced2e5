from __future__ import annotations

from kubesonar.core.diagnosis.parts import subjects
from kubesonar.model import Network, Path
from tests.core.diagnosis.parts.routes import HERE, asked


def test_what_stays_on_a_node_crosses_its_pod_network_and_not_its_link() -> None:
    route = asked(Network.HOST, HERE, Path.DNS_POD)
    assert set(subjects.nodes(route)) == set()
    assert set(subjects.pair(route)) == {"node-1>dns-1"}
    assert set(subjects.pod_nodes(route)) == {"node-1"}
