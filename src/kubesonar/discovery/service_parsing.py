"""What Services and EndpointSlices say, once it is checked: they may hold what no agent should ask."""

from __future__ import annotations

import re
from collections.abc import Iterable

from kubesonar.core.address import is_unicast
from kubesonar.core.probing.cluster_facts import DnsPod, ServiceEndpoint
from kubesonar.kube.types import Endpoint, EndpointPort, EndpointSlice, Service

_NAME = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
_MANY = 5000


def dns_pods(slices: Iterable[EndpointSlice]) -> tuple[DnsPod, ...]:
    """The pods behind a DNS Service that are in rotation, by name: ready, or not yet known not to be (a null is taken
    for true), and not terminating."""
    pods = {
        DnsPod(_name(endpoint, address), address, _port(part.ports, "UDP"), _port(part.ports, "TCP"))
        for part in slices
        for endpoint in part.endpoints or ()
        if endpoint.conditions.ready is not False and not endpoint.conditions.terminating
        for address in endpoint.addresses[:1]  # several are interchangeable, and more than one is not in use
        if is_unicast(address)
    }
    return tuple(sorted(pods)[:_MANY])


def vips(services: Iterable[Service]) -> tuple[str, ...]:
    """The cluster IPs, at most one of each family; none of a headless Service."""
    found = (
        address
        for service in services
        for address in service.spec.cluster_ips or (service.spec.cluster_ip,)
        if is_unicast(address)
    )
    return tuple(sorted(set(found)))


def service_endpoints(services: Iterable[Service]) -> tuple[ServiceEndpoint, ...]:
    """The cluster IPs, each with the first TCP port."""
    return tuple(
        ServiceEndpoint(address, ports[0])
        for service in services
        if (ports := [port.port for port in service.spec.ports if port.protocol == "TCP" and 0 < port.port < 65_536])
        for address in vips([service])
    )


def _name(endpoint: Endpoint, address: str) -> str:
    name = endpoint.target_ref.name if endpoint.target_ref else ""
    return name if _NAME.fullmatch(name) else address


def _port(ports: Iterable[EndpointPort] | None, protocol: str) -> int:
    """The port named for DNS, else the first of that transport; 0 where there is none."""
    fitting = [port for port in ports or () if (port.protocol or "TCP") == protocol]
    fitting.sort(key=lambda port: not (port.name or "").startswith("dns"))
    number = fitting[0].port if fitting else 0
    return number if number and 0 < number < 65_536 else 0
