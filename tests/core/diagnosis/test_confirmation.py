"""The command that would confirm a finding asks for what the finding is about."""

from __future__ import annotations

import pytest

from kubesonar.core.diagnosis.confirmation import confirmation
from kubesonar.core.diagnosis.population import standing
from kubesonar.model import Finding
from tests.core.mesh import Mesh

WHO = standing(*Mesh(3, seed=1).run(5).snapshots(5))


@pytest.mark.parametrize(
    ("part", "subject", "node", "command"),
    [
        ("node", "node-3", "node-1", "ping -c 100 -i 0.2 10.0.0.3"),
        ("pair", "node-2>node-3", "node-2", "ping -c 100 -i 0.2 10.0.0.3"),
        ("pair_udp", "node-2>node-3", "node-2", "nping --udp -p 9 -c 20 10.0.0.3"),
        ("pair_port", "node-2>node-1 tcp/7473", "node-2", "nc -zvw 2 10.0.0.1 7473"),
        ("pair_mtu", "node-1>node-2", "node-1", "ping -M do -c 5 -s 1472 10.0.0.2"),
        ("zone_pair", "b>a", "node-3", "ping -c 100 -i 0.2 10.0.0.1"),
    ],
)
def test_it_asks_from_a_node_that_sees_the_fault_for_what_fails(
    part: str, subject: str, node: str, command: str
) -> None:
    found = confirmation(Finding(part, subject, "loss", None, 1.0, ""), WHO)
    assert found == f"kubectl debug node/{node} -it --image=nicolaka/netshoot -- {command}"


def test_of_agents_that_do_not_answer_it_lists_the_node_s_pods() -> None:
    found = confirmation(Finding("agent_gone", "node-2", "gone", None, 1.0, ""), WHO)
    assert found == "kubectl get pods -A -o wide --field-selector spec.nodeName=node-2"
