"""The lab's pods and nodes, read by the client that agents use."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

from kubesonar.kube.auth.loading_rules import in_cluster
from kubesonar.kube.client import Client
from kubesonar.kube.reflector import Reflector
from kubesonar.kube.resource import NODES, Resource, pods
from kubesonar.kube.types import Node, Pod
from kubesonar.lab.directory import Directory
from kubesonar.lab.servers.api_server import api_server
from kubesonar.lab.servers.certificates import make_certificates
from kubesonar.lab.topology import plan_lab
from kubesonar.model import Member, State
from tests.kube.running import QUICK, run
from tests.ports import free_port
from tests.waiting import until


def changed(members: tuple[Member, ...], node: str, state: State) -> list[Member]:
    return [
        Member(m.name, m.node, m.addresses, m.port, m.network, m.zone, state=state if m.node == node else m.state)
        for m in members
    ]


def test_pods_and_nodes_follow_the_members_file(tmp_path: Path) -> None:
    async def scenario() -> None:
        members = plan_lab(3).members
        directory.write_roster(members)
        made = make_certificates(directory.certificates, ["127.0.0.1"])
        (tmp_path / "ca.crt").write_bytes(made.authority.read_bytes())
        (tmp_path / "token").write_text("any")
        port, stop = free_port(), asyncio.Event()
        serving = asyncio.create_task(api_server(["127.0.0.1"], port, made, directory.roster, stop))
        environ = {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(port)}
        client = Client(in_cluster(environ, str(tmp_path)))
        rng = random.Random(1)
        listed = Reflector(client, Resource(pods(), Pod), lambda: None, rng=rng, periods=QUICK)
        nodes = Reflector(client, Resource(NODES, Node), lambda: None, rng=rng, periods=QUICK)
        tasks = [asyncio.create_task(reflector.run()) for reflector in (listed, nodes)]
        await until(lambda: listed.synced and nodes.synced)
        pod = listed.items["default/node-2-pod"]
        assert (pod.spec.node_name, pod.status.phase, pod.status.pod_ip) == ("node-2", "Running", "10.91.2.2")
        assert [ip.ip for ip in pod.status.pod_ips] == ["10.91.2.2", "fd91:2::2"]
        assert (len(listed.items), len(nodes.items)) == (3, 3)
        directory.write_roster(changed(members, "node-2", State.CORDONED))
        await until(lambda: nodes.items["node-2"].spec.unschedulable)
        directory.write_roster(changed(members, "node-2", State.DELETED))
        await until(lambda: "node-2" not in nodes.items and "default/node-2-pod" not in listed.items)
        stop.set()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        client.close()
        await serving

    directory = Directory(tmp_path / "lab")
    try:
        run(scenario())
    finally:
        directory.release()
