"""Reads Services and EndpointSlices and checks their contents: they may hold addresses that no agent should ask."""

from __future__ import annotations

from collections.abc import Iterable

from kubesonar.core.address import is_unicast
from kubesonar.core.probing.cluster_facts import DnsPod, ServiceEndpoint
from kubesonar.kube.resource import is_object_name
from kubesonar.kube.types import Endpoint, EndpointPort, EndpointSlice, Service

_MANY = 5000
"""Most DNS pods taken; the rest is left out."""


def dns_pods(slices: Iterable[EndpointSlice]) -> tuple[DnsPod, ...]:
    """Return the pods behind a DNS Service that are in rotation, by name: ready (null counts as ready) and not
    terminating."""
    pods = {
        DnsPod(
            endpoint_name(endpoint, address),
            address,
            _port(part.ports, "UDP"),
            _port(part.ports, "TCP"),
            endpoint.node_name or "",
        )
        for part in slices
        for endpoint in part.endpoints or ()
        if endpoint.conditions.ready is not False and not endpoint.conditions.terminating
        for address in endpoint.addresses[:1]  # the API calls several interchangeable, and no more than one is in use
        if is_unicast(address)
    }
    return tuple(sorted(pods)[:_MANY])


def vips(services: Iterable[Service]) -> tuple[str, ...]:
    """Return the cluster IPs, at most one of each family; a headless Service has none."""
    found = (
        address
        for service in services
        for address in service.spec.cluster_ips or (service.spec.cluster_ip,)
        if is_unicast(address)
    )
    return tuple(sorted(set(found)))


def service_endpoints(services: Iterable[Service]) -> tuple[ServiceEndpoint, ...]:
    """Return the cluster IPs, each with the first TCP port."""
    return tuple(
        ServiceEndpoint(address, ports[0])
        for service in services
        if (ports := [port.port for port in service.spec.ports if port.protocol == "TCP" and 0 < port.port < 65_536])
        for address in vips([service])
    )


def endpoint_name(endpoint: Endpoint, address: str) -> str:
    """Return the name of the pod behind an endpoint; the address where it has none that a pod may have."""
    name = endpoint.target_ref.name if endpoint.target_ref else ""
    return name if is_object_name(name) else address


def _port(ports: Iterable[EndpointPort] | None, protocol: str) -> int:
    """Return the port named for DNS, else the first of that transport, 0 where there is none."""
    fitting = [port for port in ports or () if (port.protocol or "TCP") == protocol]
    fitting.sort(key=lambda port: not (port.name or "").startswith("dns"))
    number = fitting[0].port if fitting else 0
    return number if number and 0 < number < 65_536 else 0
