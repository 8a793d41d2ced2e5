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
    Meta,
    Notes,
    Object,
    ObjectCondition,
    ObjectName,
    ObjectPart,
    ObjectReference,
    ObjectWord,
    OwnerReference,
    T,
)

__all__ = [
    "NOTES",
    "NOTE_SIZE",
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
    "ObjectCondition",
    "ObjectPart",
    "ObjectReference",
    "OwnerReference",
    "Pod",
    "Service",
    "Status",
    "T",
    "Version",
]


class PodIP(ObjectPart, frozen=True):
    """One address of a pod, or of its host."""

    ip: Address = ""


class ContainerStatus(ObjectPart, frozen=True):
    """How one container is."""

    name: ObjectName
    ready: bool = False
    restart_count: int = 0
    started: bool | None = None


class PodSpec(ObjectPart, frozen=True):
    """What a pod is to be."""

    node_name: ObjectName = ""
    host_network: bool = False


class PodStatus(ObjectPart, frozen=True):
    """What a pod is; `phase` is Pending, Running, Succeeded, Failed or Unknown."""

    phase: ObjectWord = ""
    reason: ObjectWord = ""
    pod_ip: Address = msgspec.field(default="", name="podIP")
    pod_ips: tuple[PodIP, ...] = msgspec.field(default=(), name="podIPs")
    host_ip: Address = msgspec.field(default="", name="hostIP")
    host_ips: tuple[PodIP, ...] = msgspec.field(default=(), name="hostIPs")
    start_time: ObjectWord | None = None
    conditions: tuple[ObjectCondition, ...] = ()
    container_statuses: tuple[ContainerStatus, ...] = ()


class Pod(Object, frozen=True):
    """v1 Pod."""

    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()


class Taint(ObjectPart, frozen=True):
    """A taint of a node."""

    key: ObjectWord
    effect: ObjectWord
    value: ObjectWord = ""


class NodeSpec(ObjectPart, frozen=True):
    """What is wanted of a node; `unschedulable` is a cordon."""

    unschedulable: bool = False
    taints: tuple[Taint, ...] = ()
    pod_cidrs: tuple[Address, ...] = msgspec.field(default=(), name="podCIDRs")


class NodeAddress(ObjectPart, frozen=True):
    """An address of a node; `type` is InternalIP, ExternalIP, Hostname …"""

    type: ObjectWord
    address: ObjectWord


class NodeStatus(ObjectPart, frozen=True):
    """How a node is."""

    conditions: tuple[ObjectCondition, ...] = ()
    addresses: tuple[NodeAddress, ...] = ()


class Node(Object, frozen=True):
    """v1 Node."""

    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()


class ServicePort(ObjectPart, frozen=True):
    """A port of a service."""

    port: int
    name: ObjectWord = ""
    protocol: ObjectWord = "TCP"
    target_port: int | ObjectWord = 0
    node_port: int = 0


class ServiceSpec(ObjectPart, frozen=True):
    """What a service is; `cluster_ip` is "None" where it is headless."""

    type: ObjectWord = "ClusterIP"
    cluster_ip: Address = msgspec.field(default="", name="clusterIP")
    cluster_ips: tuple[Address, ...] = msgspec.field(default=(), name="clusterIPs")
    ports: tuple[ServicePort, ...] = ()
    selector: Notes | None = None


class Service(Object, frozen=True):
    """v1 Service."""

    spec: ServiceSpec = ServiceSpec()


class EndpointPort(ObjectPart, frozen=True):
    """A port of endpoints; null stands for every port."""

    port: int | None = None
    name: ObjectWord | None = None
    protocol: ObjectWord | None = None


class EndpointConditions(ObjectPart, frozen=True):
    """Null stands for: unknown, take it as true (`ready`, `serving`) or false (`terminating`)."""

    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class Endpoint(ObjectPart, frozen=True):
    """One endpoint of a slice."""

    addresses: tuple[ObjectWord, ...]
    conditions: EndpointConditions = EndpointConditions()
    node_name: ObjectName | None = None
    zone: ObjectWord | None = None
    target_ref: ObjectReference | None = None


class EndpointSlice(Object, frozen=True):
    """discovery.k8s.io/v1 EndpointSlice; `address_type` is IPv4, IPv6 or FQDN. Its service is named by the label
    kubernetes.io/service-name."""

    address_type: ObjectWord = ""
    endpoints: tuple[Endpoint, ...] | None = ()
    ports: tuple[EndpointPort, ...] | None = ()


class EndpointAddress(ObjectPart, frozen=True):
    """One address of v1 Endpoints."""

    ip: Address
    node_name: ObjectName | None = None
    target_ref: ObjectReference | None = None


class EndpointSubset(ObjectPart, frozen=True):
    """Addresses that share ports."""

    addresses: tuple[EndpointAddress, ...] | None = ()
    not_ready_addresses: tuple[EndpointAddress, ...] | None = ()
    ports: tuple[EndpointPort, ...] | None = ()


class Endpoints(Object, frozen=True):
    """v1 Endpoints, which EndpointSlices replace."""

    subsets: tuple[EndpointSubset, ...] | None = ()


class LeaseSpec(ObjectPart, frozen=True):
    """Who holds a lease, since when and for how long (s)."""

    holder_identity: ObjectWord | None = None
    lease_duration_seconds: int | None = None
    acquire_time: ObjectWord | None = None
    renew_time: ObjectWord | None = None
    lease_transitions: int | None = None


class Lease(Object, frozen=True):
    """coordination.k8s.io/v1 Lease."""

    spec: LeaseSpec = LeaseSpec()


class Version(ObjectPart, frozen=True):
    """What /version says."""

    major: ObjectWord = ""
    minor: ObjectWord = ""
    git_version: ObjectWord = ""


class Status(ObjectPart, frozen=True):
    """v1 Status: how the API server explains a refusal."""

    status: ObjectWord = ""
    reason: ObjectWord = ""
    message: str = ""
    code: int = 0
