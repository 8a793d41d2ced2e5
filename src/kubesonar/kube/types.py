"""Kubernetes objects, only the fields that are read here (https://kubernetes.io/docs/reference/kubernetes-api/).

What is left out costs nothing: the decoder passes over it. Lists that the API server may send as null are `None`-able.
Times stay text, as the API writes them (RFC 3339).
"""

from __future__ import annotations

import msgspec

from kubesonar.kube.object_meta import (
    NOTE_SIZE,
    NOTES,
    Address,
    Condition,
    Meta,
    Name,
    Notes,
    Object,
    ObjectReference,
    OwnerReference,
    Part,
    T,
    Word,
)

__all__ = [
    "NOTES",
    "NOTE_SIZE",
    "Condition",
    "Endpoint",
    "EndpointAddress",
    "EndpointConditions",
    "EndpointPort",
    "EndpointSlice",
    "EndpointSubset",
    "Endpoints",
    "Lease",
    "LeaseSpec",
    "Meta",
    "Node",
    "Object",
    "ObjectReference",
    "OwnerReference",
    "Part",
    "Pod",
    "Service",
    "Status",
    "T",
    "Version",
]


class PodIP(Part, frozen=True):
    """One address of a pod, or of its host."""

    ip: Address = ""


class ContainerStatus(Part, frozen=True):
    """How one container is."""

    name: Name
    ready: bool = False
    restart_count: int = 0
    started: bool | None = None


class PodSpec(Part, frozen=True):
    """What a pod is to be."""

    node_name: Name = ""
    host_network: bool = False


class PodStatus(Part, frozen=True):
    """What a pod is; `phase` is Pending, Running, Succeeded, Failed or Unknown."""

    phase: Word = ""
    reason: Word = ""
    pod_ip: Address = msgspec.field(default="", name="podIP")
    pod_ips: tuple[PodIP, ...] = msgspec.field(default=(), name="podIPs")
    host_ip: Address = msgspec.field(default="", name="hostIP")
    host_ips: tuple[PodIP, ...] = msgspec.field(default=(), name="hostIPs")
    start_time: Word | None = None
    conditions: tuple[Condition, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()


class Pod(Object, frozen=True):
    """v1 Pod."""

    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()


class Taint(Part, frozen=True):
    """A taint of a node."""

    key: Word
    effect: Word
    value: Word = ""


class NodeSpec(Part, frozen=True):
    """What is wanted of a node; `unschedulable` is a cordon."""

    unschedulable: bool = False
    taints: tuple[Taint, ...] = ()
    pod_cidrs: tuple[Address, ...] = msgspec.field(default=(), name="podCIDRs")


class NodeAddress(Part, frozen=True):
    """An address of a node; `type` is InternalIP, ExternalIP, Hostname …"""

    type: Word
    address: Word


class NodeStatus(Part, frozen=True):
    """How a node is."""

    conditions: tuple[Condition, ...] = ()
    addresses: tuple[NodeAddress, ...] = ()


class Node(Object, frozen=True):
    """v1 Node."""

    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()


class ServicePort(Part, frozen=True):
    """A port of a service."""

    port: int
    name: Word = ""
    protocol: Word = "TCP"
    target_port: int | Word = 0
    node_port: int = 0


class ServiceSpec(Part, frozen=True):
    """What a service is; `cluster_ip` is "None" where it is headless."""

    type: Word = "ClusterIP"
    cluster_ip: Address = msgspec.field(default="", name="clusterIP")
    cluster_ips: tuple[Address, ...] = msgspec.field(default=(), name="clusterIPs")
    ports: tuple[ServicePort, ...] = ()
    selector: Notes | None = None


class Service(Object, frozen=True):
    """v1 Service."""

    spec: ServiceSpec = ServiceSpec()


class EndpointPort(Part, frozen=True):
    """A port of endpoints; null stands for every port."""

    port: int | None = None
    name: Word | None = None
    protocol: Word | None = None


class EndpointConditions(Part, frozen=True):
    """Null stands for: unknown, take it as true (`ready`, `serving`) or false (`terminating`)."""

    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class Endpoint(Part, frozen=True):
    """One endpoint of a slice."""

    addresses: tuple[Word, ...]
    conditions: EndpointConditions = EndpointConditions()
    node_name: Name | None = None
    zone: Word | None = None
    target_ref: ObjectReference | None = None


class EndpointSlice(Object, frozen=True):
    """discovery.k8s.io/v1 EndpointSlice; `address_type` is IPv4, IPv6 or FQDN. Its service is named by the label
    kubernetes.io/service-name."""

    address_type: Word = ""
    endpoints: tuple[Endpoint, ...] | None = ()
    ports: tuple[EndpointPort, ...] | None = ()


class EndpointAddress(Part, frozen=True):
    """One address of v1 Endpoints."""

    ip: Address
    node_name: Name | None = None
    target_ref: ObjectReference | None = None


class EndpointSubset(Part, frozen=True):
    """Addresses that share ports."""

    addresses: tuple[EndpointAddress, ...] | None = ()
    not_ready_addresses: tuple[EndpointAddress, ...] | None = ()
    ports: tuple[EndpointPort, ...] | None = ()


class Endpoints(Object, frozen=True):
    """v1 Endpoints, which EndpointSlices replace."""

    subsets: tuple[EndpointSubset, ...] | None = ()


class LeaseSpec(Part, frozen=True):
    """Who holds a lease, since when and for how long (s)."""

    holder_identity: Word | None = None
    lease_duration_seconds: int | None = None
    acquire_time: Word | None = None
    renew_time: Word | None = None
    lease_transitions: int | None = None


class Lease(Object, frozen=True):
    """coordination.k8s.io/v1 Lease."""

    spec: LeaseSpec = LeaseSpec()


class Version(Part, frozen=True):
    """What /version says."""

    major: Word = ""
    minor: Word = ""
    git_version: Word = ""


class Status(Part, frozen=True):
    """v1 Status: how the API server explains a refusal."""

    status: Word = ""
    reason: Word = ""
    message: str = ""
    code: int = 0
