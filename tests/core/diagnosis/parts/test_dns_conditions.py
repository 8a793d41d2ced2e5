from __future__ import annotations

from kubesonar.core.diagnosis.parts import dns_conditions
from kubesonar.core.diagnosis.parts.traversal import End
from kubesonar.model import Network, Path
from tests.core.diagnosis.parts.routes import HERE, THERE, asked


def test_names_outside_are_asked_of_the_servers_beyond_the_clusters_own() -> None:
    outside = asked(Network.POD, End("upstream", behind=(HERE, THERE)), Path.DNS_UPSTREAM)
    assert dns_conditions.upstream(outside)
    assert not dns_conditions.upstream(asked(Network.POD))
