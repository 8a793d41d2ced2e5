"""The bridge, links, addresses and routes of a plan, made through netlink, so that no program has to be installed.

Everything is made inside the given namespaces; the bridge is in the caller's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from pyroute2 import IPRoute

from kubesonar.core.address import family_of
from kubesonar.lab.kernel.namespaces import within
from kubesonar.lab.network.offload import segment_in_software
from kubesonar.lab.topology import DNS_CACHE, DNS_VIP, HOSTS4, HOSTS6, PODS4, PODS6, LabNode, LabPlan, LabServer
from kubesonar.net.address_families import ADDRESS_FAMILY

BRIDGE = "lab"
UPLINK = "eth0"
"""Name, inside every namespace, of its link to the bridge or, in a pod network, to its node."""
POD_LINK = "pods"
"""Name, inside a node's namespace, of its link to the pod network."""

_MTU = 1500
_GID = 0
"""The group that may send ICMP echo without privileges: the lab's own, which is 0 in a user namespace too."""


def build(plan: LabPlan, namespaces: Mapping[str, int]) -> None:
    """Make the plan's links between the namespaces of its nodes, servers and pod networks (open descriptors by name).
    Raises OSError or pyroute2's NetlinkError where the kernel refuses."""
    for network in namespaces.values():
        within(network, _prepare)
    _prepare_sysctls()
    within(None, partial(_build_bridge, plan, namespaces))
    for node in plan.nodes:
        within(namespaces[node.name], partial(_build_node, plan, node, namespaces[node.pod.name]))
        within(namespaces[node.pod.name], partial(_build_pod, node))
    for server in plan.servers:
        within(namespaces[server.name], partial(_build_server, plan, server))


def _prepare() -> None:
    _prepare_sysctls()
    with IPRoute() as route:
        route.link("set", index=1, state="up")


def _prepare_sysctls() -> None:
    """Turn off duplicate address detection, which takes seconds, and the reverse path filter. To be done before links
    are made: they take their settings from `default`."""
    for name, value in {
        "ipv6/conf/default/accept_dad": "0",
        "ipv6/conf/default/accept_ra": "0",
        "ipv4/conf/default/rp_filter": "0",
        "ipv4/conf/all/rp_filter": "0",
        "ipv4/ping_group_range": f"{_GID} {_GID}",
    }.items():
        _sysctl(name, value)


def _sysctl(name: str, value: str) -> None:
    Path("/proc/sys/net", name).write_text(value)


def _build_bridge(plan: LabPlan, namespaces: Mapping[str, int]) -> None:
    with IPRoute() as route:
        # Without snooping the bridge passes neighbour discovery before it has learned who listens.
        route.link("add", ifname=BRIDGE, kind="bridge", br_stp_state=0, br_forward_delay=0, br_mcast_snooping=0)
        bridge = _index(route, BRIDGE)
        route.link("set", index=bridge, state="up")
        for name in plan.stations:
            _make_veth(route, name, namespaces[name])
            route.link("set", index=_index(route, name), master=bridge, state="up")
            segment_in_software(name)


def _build_node(plan: LabPlan, node: LabNode, pod: int) -> None:
    for name in ("ipv4/ip_forward", "ipv6/conf/all/forwarding"):
        _sysctl(name, "1")
    with IPRoute() as route:
        _set_up(route, UPLINK, zip(node.host.addresses, (HOSTS4, HOSTS6), strict=True))
        _make_veth(route, POD_LINK, pod)
        _set_up(route, POD_LINK, zip(node.gateways, (PODS4, PODS6), strict=True))
        _route_to_pods(route, (other for other in plan.nodes if other is not node))
        if plan.dns:
            route.route("add", dst=f"{DNS_VIP}/32", oif=_index(route, UPLINK))  # translated on its way out
            route.addr("add", index=_index(route, "lo"), address=DNS_CACHE, prefixlen=32)


def _build_pod(node: LabNode) -> None:
    with IPRoute() as route:
        _set_up(route, UPLINK, zip(node.pod.addresses, (PODS4, PODS6), strict=True))
        for gateway in node.gateways:
            route.route("add", dst="default", gateway=gateway, family=ADDRESS_FAMILY[family_of(gateway)])


def _build_server(plan: LabPlan, server: LabServer) -> None:
    with IPRoute() as route:
        _set_up(route, UPLINK, zip(server.addresses, (HOSTS4, HOSTS6), strict=True))
        _route_to_pods(route, plan.nodes)


def _make_veth(route: Any, name: str, network: int) -> None:
    """Make a pair of linked interfaces: `name` here, `UPLINK` in that network namespace."""
    peer = {"ifname": UPLINK, "net_ns_fd": network, "mtu": _MTU}
    route.link("add", ifname=name, kind="veth", mtu=_MTU, peer=peer)


def _set_up(route: Any, name: str, addresses: Iterable[tuple[str, int]]) -> None:
    index = _index(route, name)
    segment_in_software(name)
    route.link("set", index=index, state="up")
    for address, length in addresses:
        route.addr("add", index=index, address=address, prefixlen=length, family=ADDRESS_FAMILY[family_of(address)])


def _route_to_pods(route: Any, nodes: Iterable[LabNode]) -> None:
    for node in nodes:
        for subnet, gateway in zip(node.subnets, node.host.addresses, strict=True):
            route.route("add", dst=subnet, gateway=gateway, family=ADDRESS_FAMILY[family_of(gateway)])


def _index(route: Any, name: str) -> int:
    index: int = route.link_lookup(ifname=name)[0]
    return index
