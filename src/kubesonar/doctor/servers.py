"""Reads the servers to ask out of Services, EndpointSlices, nodes and pods. What they hold is checked: it may be
addresses that nobody should ask."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise

import msgspec

from kubesonar.core.address import family_of, is_unicast
from kubesonar.core.dns_check.questions import AskedServer, ServerRole
from kubesonar.discovery.service_parsing import endpoint_name
from kubesonar.doctor.objects import AddressedNode, ContainedPod, FullService
from kubesonar.kube.resource import is_object_name
from kubesonar.kube.types import EndpointSlice

POD_LIMIT = 40
"""Most addresses of DNS pods that one look asks; the rest is left out and said so. More make the burst of a look as
large as what it measures."""

_LARGE = 30
"""Addresses of a headless Service from which its answer does not fit into 512 bytes."""

LINK_LOCAL = ("169.254.", "fe80:")
"""Prefixes of the addresses of caches on the node (NodeLocal DNSCache uses 169.254.20.10)."""

SERVICE_LABEL = "kubernetes.io/service-name"
"""Label of an EndpointSlice that names its Service."""


class DnsTarget(msgspec.Struct, frozen=True, kw_only=True):
    """The DNS that is meant: namespace, name and port (0: found by its name) of its Service, and what is given in place
    of what would be found."""

    namespace: str = "kube-system"
    name: str = "kube-dns"
    port: int = 0
    domain: str = ""
    headless: str = ""
    large: str = ""
    upstream: tuple[str, ...] = ()


def chosen_service(found: Iterable[FullService], target: DnsTarget) -> FullService | None:
    """Return the Service with the name asked for, else the only one with the label that Kubernetes gives to its DNS."""
    by_name = {one.metadata.name: one for one in found}
    if target.name in by_name:
        return by_name[target.name]
    labelled = [one for one in by_name.values() if one.metadata.labels.get("k8s-app") == "kube-dns" and one.vips]
    return labelled[0] if len(labelled) == 1 else None


def _numbers(service: FullService | None, target: DnsTarget) -> tuple[int, int]:
    """Return the Service's ports by UDP and TCP, 0 where it has none."""
    if service is None:
        return target.port or 53, target.port or 53
    udp, tcp = service.port("UDP", target.port), service.port("TCP", target.port)
    return udp.port if udp else 0, tcp.port if tcp else 0


def service_servers(
    name: str, vips: Iterable[str], service: FullService | None, target: DnsTarget
) -> Iterator[AskedServer]:
    """Yield the Service's virtual addresses."""
    udp, tcp = _numbers(service, target)
    for vip in vips:
        yield AskedServer(_of_family(name, vip), ServerRole.SERVICE, vip, udp, tcp)


def pod_servers(
    slices: Iterable[EndpointSlice], service: FullService | None, target: DnsTarget, unknown: list[str]
) -> list[AskedServer]:
    """Return the pods in rotation, with the ports that the Service's ports lead to by name."""
    found, out = dict[str, AskedServer](), list[str]()
    for part in slices:
        udp, tcp = (_slice_port(part, service, target, protocol) for protocol in ("UDP", "TCP"))
        for endpoint in part.endpoints or ():
            address = next(filter(is_unicast, endpoint.addresses[:1]), "")
            name = _of_family(endpoint_name(endpoint, address), address)
            if endpoint.conditions.ready is False or endpoint.conditions.terminating:
                out.append(name)
            elif address:
                found[address] = AskedServer(name, ServerRole.POD, address, udp, tcp, endpoint.node_name or "")
    if out:
        unknown.append(f"{', '.join(sorted(set(out))[:4])}: not ready or going, so not asked")
    if len(found) > POD_LIMIT:
        unknown.append(f"{len(found) - POD_LIMIT} of {len(found)} addresses of DNS pods are not asked")
    return sorted(found.values())[:POD_LIMIT]


def _slice_port(part: EndpointSlice, service: FullService | None, target: DnsTarget, protocol: str) -> int:
    wanted = service.port(protocol, target.port) if service else None
    fitting = [
        port for port in part.ports or () if (port.protocol or "TCP") == protocol and 0 < (port.port or 0) < 65_536
    ]
    if wanted is not None:
        fitting = [port for port in fitting if (port.name or "") == (wanted.name or "")]
    fitting.sort(key=lambda port: not (port.name or "").startswith("dns"))
    return fitting[0].port or 0 if fitting else 0


def _of_family(name: str, address: str) -> str:
    return f"{name} (IPv6)" if family_of(address) == 6 and name != address else name


def selects_the_same(one: FullService, service: FullService) -> bool:
    """Return whether a Service selects the DNS pods: by the same labels, or by some of them."""
    mine, wanted = one.spec.selector or {}, service.spec.selector or {}
    return bool(mine) and mine.items() <= wanted.items()


def outside_servers(service: FullService, number: int) -> Iterator[AskedServer]:
    """Yield a Service's external IPs and the addresses of its load balancer."""
    udp, tcp = service.port("UDP", number), service.port("TCP", number)
    for address in service.outside:
        name = f"{service.metadata.name} at {address}"
        yield AskedServer(name, ServerRole.EXPOSED, address, udp.port if udp else 0, tcp.port if tcp else 0)


def node_port_servers(service: FullService, node: AddressedNode, target: DnsTarget) -> Iterator[AskedServer]:
    """Yield a node's NodePort, at its external address where it has one."""
    udp, tcp = service.port("UDP", target.port), service.port("TCP", target.port)
    ports = udp.node_port if udp else 0, tcp.node_port if tcp else 0
    by_type: Mapping[str, str] = {
        entry.type: entry.address for entry in reversed(node.status.addresses or ()) if is_unicast(entry.address)
    }
    address = by_type.get("ExternalIP") or by_type.get("InternalIP")
    if any(ports) and address:
        name = f"{service.metadata.name} at node {node.metadata.name}"
        yield AskedServer(name, ServerRole.EXPOSED, address, *ports, node.metadata.name)


def cache_addresses(pod: ContainedPod) -> Iterator[str]:
    """Yield the addresses at which a pod of NodeLocal DNSCache listens, "-localip 169.254.20.10,10.96.0.10"."""
    for container in pod.spec.containers:
        words = [word for arg in container.args or () for word in arg.replace("=", " ").split()]
        for flag, value in pairwise(words):
            if flag.lstrip("-") == "localip":
                yield from (address for address in value.split(",") if address.startswith(LINK_LOCAL))


def upstream_servers(found: Iterable[tuple[str, int]]) -> Iterator[AskedServer]:
    """Yield servers that are asked for outside names, by address and port."""
    for address, port in found:
        yield AskedServer(f"upstream {address}", ServerRole.UPSTREAM, address, port, port)


def headless_names(found: Iterable[FullService], slices: Iterable[EndpointSlice], domain: str) -> tuple[str, str]:
    """Return the names of a headless Service with endpoints, and of one whose answer is large; empty where there is
    none."""
    counts: dict[str, int] = {}
    for part in slices:
        ready = [one for one in part.endpoints or () if one.conditions.ready is not False]
        name = part.metadata.labels.get(SERVICE_LABEL, "")
        counts[name] = counts.get(name, 0) + len(ready)
    names = [one.metadata for one in found if one.spec.cluster_ip == "None" and counts.get(one.metadata.name)]
    if not names or not domain:
        return "", ""
    most = max(names, key=lambda meta: (counts[meta.name], meta.name))
    name = f"{most.name}.{most.namespace}.svc.{domain}"
    return name, name if counts[most.name] >= _LARGE else ""


def forwardable(servers: tuple[AskedServer, ...]) -> tuple[AskedServer, ...]:
    """Return the DNS pods that are known by their names, once each, as servers that are asked by TCP only."""
    named = {
        server.name: AskedServer(server.name, server.role, server.address, 0, server.tcp, server.node)
        for server in servers
        if server.role is ServerRole.POD
        and server.tcp
        and is_object_name(server.name)
        and server.name != server.address
    }
    return tuple(named.values())
