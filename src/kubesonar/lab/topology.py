"""The plan of a lab: nodes, their pod networks, and a few servers, all on one bridge.

    bridge --- node-1 (eth0) --- node-1-pod        a pod network of its own behind each node, routed through it
           |-- node-2 (eth0) --- node-2-pod
           |-- dns-1, dns-2, upstream, api, ingress, pager, collector-1

With `dns`, every node translates the DNS Service's address to dns-1 or dns-2, as kube-proxy does, and has a DNS cache
at a link-local address, as NodeLocal DNSCache; dns-1 and dns-2 ask upstream for names outside of the cluster.

Without namespaces, each member and server has a loopback address of its own instead (127.0.0.0/8 needs no set-up), in
one network without links.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from kubesonar.model import COLLECTOR_PORT, MEMBER_PORT, Member, Network

MIN_NODES, MAX_NODES = 2, 100
MAX_COLLECTORS = 3

DNS_VIP = "10.96.0.10"
"""The DNS Service's cluster IP."""

DNS_CACHE = "169.254.20.10"
"""The address of each node's DNS cache, that of NodeLocal DNSCache."""

HOSTS4, HOSTS6 = 16, 64
"""Prefix lengths of the network on the bridge."""
PODS4, PODS6 = 24, 64
"""Prefix lengths of one node's pod network."""


class Role(StrEnum):
    """The kind of a server."""

    DNS = "dns"
    UPSTREAM = "upstream"
    API = "api"
    INGRESS = "ingress"
    PAGER = "pager"
    COLLECTOR = "collector"


class LabServer(msgspec.Struct, frozen=True):
    """A server on the bridge, without an agent. `addresses` are v4 and, in namespaces, v6."""

    name: str
    role: Role
    addresses: tuple[str, ...]
    port: int


class LabNode(msgspec.Struct, frozen=True):
    """A node: its agent in the host network, its agent in the pod network, and the gateways and subnets of the pod
    network (v4 and v6; empty on loopback)."""

    name: str
    zone: str
    host: Member
    pod: Member
    gateways: tuple[str, ...] = ()
    subnets: tuple[str, ...] = ()


class LabPlan(msgspec.Struct, frozen=True):
    """The whole lab; with `dns` it has a DNS Service, caches and an upstream.

    The name of a node or server is also that of its namespace and of its port on the bridge; the namespace of a pod
    network has the name of the member in it."""

    nodes: tuple[LabNode, ...]
    servers: tuple[LabServer, ...]
    namespaces: bool
    dns: bool = False

    @property
    def members(self) -> tuple[Member, ...]:
        """All members, node by node, host network first."""
        return tuple(member for node in self.nodes for member in (node.host, node.pod))

    @property
    def stations(self) -> tuple[str, ...]:
        """Names of the nodes and servers on the bridge."""
        return (*(node.name for node in self.nodes), *(server.name for server in self.servers))

    def home(self, member: Member) -> str:
        """Return the name of a member's namespace."""
        return member.node if member.network is Network.HOST else member.name

    def of_role(self, role: Role) -> tuple[LabServer, ...]:
        """Return the servers of that role."""
        return tuple(server for server in self.servers if server.role is role)


def plan_lab(nodes: int = 5, *, namespaces: bool = True, collectors: int = 0, dns: bool = False) -> LabPlan:
    """Plan a lab of that many nodes in two zones, with at most `MAX_COLLECTORS` collectors; `dns` needs namespaces and
    is left out without them. Raises ValueError outside `MIN_NODES` to `MAX_NODES`."""
    if not MIN_NODES <= nodes <= MAX_NODES:
        raise ValueError(f"nodes: got {nodes}, expected {MIN_NODES} to {MAX_NODES}")
    make = _node if namespaces else _loopback_node
    half = (nodes + 1) // 2
    return LabPlan(
        nodes=tuple(make(number, "zone-a" if number <= half else "zone-b") for number in range(1, nodes + 1)),
        servers=(
            *(_SERVERS if namespaces else _LOOPBACK_SERVERS),
            *([_UPSTREAM] if dns and namespaces else []),
            *(_collector(number, namespaces) for number in range(1, min(collectors, MAX_COLLECTORS) + 1)),
        ),
        namespaces=namespaces,
        dns=dns and namespaces,
    )


_UPSTREAM = LabServer("upstream", Role.UPSTREAM, ("10.90.0.55", "fd90::55"), 53)
_SERVERS = (
    LabServer("dns-1", Role.DNS, ("10.90.0.53", "fd90::53"), 53),
    LabServer("dns-2", Role.DNS, ("10.90.0.54", "fd90::54"), 53),
    LabServer("api", Role.API, ("10.90.0.64", "fd90::64"), 6443),
    LabServer("ingress", Role.INGRESS, ("10.90.0.80", "fd90::80"), 80),
    LabServer("pager", Role.PAGER, ("10.90.0.99", "fd90::99"), 80),
)
# Ports that need no privileges: on loopback the lab may be an ordinary user's process.
_LOOPBACK_SERVERS = (
    LabServer("dns-1", Role.DNS, ("127.73.0.53",), 7353),
    LabServer("dns-2", Role.DNS, ("127.73.0.54",), 7353),
    LabServer("api", Role.API, ("127.73.0.64",), 7364),
    LabServer("ingress", Role.INGRESS, ("127.73.0.80",), 7380),
    LabServer("pager", Role.PAGER, ("127.73.0.99",), 7399),
)


def _collector(number: int, namespaces: bool) -> LabServer:
    last = 100 + number
    addresses = (f"10.90.0.{last}", f"fd90::{last}") if namespaces else (f"127.73.0.{last}",)
    return LabServer(f"collector-{number}", Role.COLLECTOR, addresses, COLLECTOR_PORT)


def _node(number: int, zone: str) -> LabNode:
    """Plan a node. Its IPv6 addresses have the decimal numbers of the IPv4 ones, so that a person recognises them."""
    return LabNode(
        name=f"node-{number}",
        zone=zone,
        host=_member(number, zone, Network.HOST, f"10.90.1.{number}", f"fd90::1:{number}"),
        pod=_member(number, zone, Network.POD, f"10.91.{number}.2", f"fd91:{number}::2"),
        gateways=(f"10.91.{number}.1", f"fd91:{number}::1"),
        subnets=(f"10.91.{number}.0/{PODS4}", f"fd91:{number}::/{PODS6}"),
    )


def _loopback_node(number: int, zone: str) -> LabNode:
    """Plan a node on loopback. Its ports differ too, because each agent also probes itself at 127.0.0.1."""
    host = _member(number, zone, Network.HOST, f"127.73.{number}.1")
    pod = _member(number, zone, Network.POD, f"127.73.{number}.2")
    return LabNode(
        name=f"node-{number}",
        zone=zone,
        host=msgspec.structs.replace(host, port=MEMBER_PORT + 2 * number - 2),
        pod=msgspec.structs.replace(pod, port=MEMBER_PORT + 2 * number - 1),
    )


def _member(number: int, zone: str, network: Network, *addresses: str) -> Member:
    return Member(f"node-{number}-{network}", f"node-{number}", addresses, MEMBER_PORT, network, zone)
