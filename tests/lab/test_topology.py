"""The plan: names, addresses and zones that do not collide, in namespaces and on loopback."""

from __future__ import annotations

import ipaddress

import pytest

from kubesonar.lab.topology import MAX_NODES, Role, plan_lab
from kubesonar.model import Network


@pytest.mark.parametrize("namespaces", [True, False])
@pytest.mark.parametrize("nodes", [2, 5, MAX_NODES])
def test_no_two_members_or_servers_share_a_name_or_an_address(nodes: int, namespaces: bool) -> None:
    lab = plan_lab(nodes, namespaces=namespaces)
    assert len(lab.members) == 2 * nodes
    names = [*(member.name for member in lab.members), *(server.name for server in lab.servers)]
    addresses = [address for member in lab.members for address in member.addresses]
    addresses += [address for server in lab.servers for address in server.addresses]
    addresses += [gateway for node in lab.nodes for gateway in node.gateways]
    assert len(names) == len(set(names))
    parsed = {ipaddress.ip_address(address) for address in addresses}
    assert len(addresses) == len(parsed)
    assert namespaces or all(address.is_loopback for address in parsed)


def test_names_fit_a_network_interface() -> None:
    assert max(len(name) for name in plan_lab(MAX_NODES).stations) <= 15  # IFNAMSIZ - 1, include/uapi/linux/if.h


def test_members_know_their_node_zone_and_network() -> None:
    lab = plan_lab(5)
    assert [node.zone for node in lab.nodes] == ["zone-a"] * 3 + ["zone-b"] * 2
    host, pod = lab.nodes[2].host, lab.nodes[2].pod
    assert (host.name, host.network, lab.home(host)) == ("node-3-host", Network.HOST, "node-3")
    assert (pod.name, pod.network, lab.home(pod)) == ("node-3-pod", Network.POD, "node-3-pod")
    assert pod.addresses == ("10.91.3.2", "fd91:3::2")
    assert all(ipaddress.ip_address(pod.addresses[n]) in ipaddress.ip_network(lab.nodes[2].subnets[n]) for n in (0, 1))


def test_there_are_two_dns_servers_an_api_and_an_ingress() -> None:
    assert [len(plan_lab().of_role(role)) for role in (Role.DNS, Role.API, Role.INGRESS)] == [2, 1, 1]


@pytest.mark.parametrize("nodes", [-1, 0, 1, MAX_NODES + 1])
def test_too_few_or_too_many_nodes_are_refused(nodes: int) -> None:
    with pytest.raises(ValueError, match=f"nodes: got {nodes}, expected 2 to 100"):
        plan_lab(nodes)
