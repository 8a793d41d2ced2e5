"""Which pods should report."""

from __future__ import annotations

from pathlib import Path

from kubesonar.compat.netchecker.server.pods import AgentPods, label_of
from tests.compat.netchecker.rig import add_pods
from tests.kube import shapes
from tests.kube.apiserver import ApiServer
from tests.kube.running import client_of, run


def test_nc26_pods_of_agents_are_those_with_the_labels_in_all_namespaces_and_phases(tmp_path: Path) -> None:
    async def work() -> None:
        add_pods(api, "netchecker-agent-a", "netchecker-agent-hostnet-a")
        labels = {"app": "netchecker-agent"}
        api.put("pods", shapes.pod("elsewhere", namespace="other", labels=labels))
        api.put("pods", shapes.pod("pending", labels=labels, phase="Pending", node=""))
        api.put("pods", shapes.pod("netchecker-agent-like", labels={"app": "netchecker"}))
        client = client_of(api, tmp_path)
        pods = AgentPods(client)
        names = {pod.name for pod in await pods.all()}
        client.close()
        assert names == {"netchecker-agent-a", "netchecker-agent-hostnet-a", "elsewhere", "pending"}
        assert (pods.nodes["elsewhere"], pods.nodes["pending"]) == ("node-1", "")

    with ApiServer() as api:
        run(work())


def test_an_agent_is_named_by_its_node_and_network() -> None:
    assert label_of("n1", "netchecker-agent-x") == "n1-private_network"
    assert label_of("n1", "netchecker-agent-hostnet-x") == "n1-host_network"
