"""Kubernetes objects with the fields that are read here (https://kubernetes.io/docs/reference/kubernetes-api/).

The decoder passes over every other field, which costs nothing. Lists that the API server may send as null are
`None`-able. Times stay text, as the API writes them (RFC 3339).
"""

from __future__ import annotations

import msgspec

from kubesonar.kube.object_meta import (
    IpText,
    Object,
    ObjectCondition,
    ObjectName,
    ObjectPart,
    ObjectReference,
    ObjectWord,
)


class PodIP(ObjectPart, frozen=True):
    """One address of a pod, or of its host."""

    ip: IpText = ""


class PodSpec(ObjectPart, frozen=True):
    """The desired pod."""

    node_name: ObjectName = ""
    host_network: bool = False


class WaitingReason(ObjectPart, frozen=True):
    """The reason why a container does not run."""

    reason: ObjectWord = ""


class ContainerState(ObjectPart, frozen=True):
    """The state of a container; `waiting` is None where it runs or has ended."""

    waiting: WaitingReason | None = None


class ContainerStatus(ObjectPart, frozen=True):
    """One container of a pod, and how often it was started again."""

    restart_count: int = 0
    state: ContainerState = ContainerState()


class PodStatus(ObjectPart, frozen=True):
    """The observed pod; `phase` is Pending, Running, Succeeded, Failed or Unknown. `start_time` is when a kubelet took
    it up, None before."""

    phase: ObjectWord = ""
    reason: ObjectWord = ""
    start_time: ObjectWord | None = None
    container_statuses: tuple[ContainerStatus, ...] = ()
    pod_ip: IpText = msgspec.field(default="", name="podIP")
    pod_ips: tuple[PodIP, ...] = msgspec.field(default=(), name="podIPs")
    host_ip: IpText = msgspec.field(default="", name="hostIP")
    host_ips: tuple[PodIP, ...] = msgspec.field(default=(), name="hostIPs")
    conditions: tuple[ObjectCondition, ...] = ()


class Pod(Object, frozen=True):
    """v1 Pod."""

    spec: PodSpec = PodSpec()
    status: PodStatus = PodStatus()


class Taint(ObjectPart, frozen=True):
    """A taint of a node."""

    key: ObjectWord
    effect: ObjectWord
    time_added: ObjectWord | None = None


class NodeSpec(ObjectPart, frozen=True):
    """The desired node; `unschedulable` is a cordon."""

    unschedulable: bool = False
    taints: tuple[Taint, ...] = ()


class NodeStatus(ObjectPart, frozen=True):
    """The observed node."""

    conditions: tuple[ObjectCondition, ...] = ()


class Node(Object, frozen=True):
    """v1 Node."""

    spec: NodeSpec = NodeSpec()
    status: NodeStatus = NodeStatus()


class ServicePort(ObjectPart, frozen=True):
    """A port of a service."""

    port: int
    protocol: ObjectWord = "TCP"


class ServiceSpec(ObjectPart, frozen=True):
    """The addresses and ports of a service; `cluster_ip` is "None" where it is headless."""

    cluster_ip: IpText = msgspec.field(default="", name="clusterIP")
    cluster_ips: tuple[IpText, ...] = msgspec.field(default=(), name="clusterIPs")
    ports: tuple[ServicePort, ...] = ()


class Service(Object, frozen=True):
    """v1 Service."""

    spec: ServiceSpec = ServiceSpec()


class EndpointPort(ObjectPart, frozen=True):
    """A port of endpoints; null stands for every port."""

    port: int | None = None
    name: ObjectWord | None = None
    protocol: ObjectWord | None = None


class EndpointConditions(ObjectPart, frozen=True):
    """Null means unknown, which is taken as true for `ready` and as false for `terminating`."""

    ready: bool | None = None
    terminating: bool | None = None


class Endpoint(ObjectPart, frozen=True):
    """One endpoint of a slice."""

    addresses: tuple[ObjectWord, ...]
    conditions: EndpointConditions = EndpointConditions()
    node_name: ObjectName | None = None
    target_ref: ObjectReference | None = None


class EndpointSlice(Object, frozen=True):
    """discovery.k8s.io/v1 EndpointSlice; `address_type` is IPv4, IPv6 or FQDN.

    The label kubernetes.io/service-name names its service.
    """

    address_type: ObjectWord = ""
    endpoints: tuple[Endpoint, ...] | None = ()
    ports: tuple[EndpointPort, ...] | None = ()


class EndpointAddress(ObjectPart, frozen=True):
    """One address of v1 Endpoints."""

    ip: IpText
    node_name: ObjectName | None = None


class EndpointSubset(ObjectPart, frozen=True):
    """Addresses that share ports."""

    addresses: tuple[EndpointAddress, ...] | None = ()
    not_ready_addresses: tuple[EndpointAddress, ...] | None = ()


class Endpoints(Object, frozen=True):
    """v1 Endpoints, which EndpointSlices replace."""

    subsets: tuple[EndpointSubset, ...] | None = ()


class LeaseSpec(ObjectPart, frozen=True):
    """The holder of a lease, its last renewal and its duration (s)."""

    holder_identity: ObjectWord | None = None
    lease_duration_seconds: int | None = None
    renew_time: ObjectWord | None = None
    lease_transitions: int | None = None


class Lease(Object, frozen=True):
    """coordination.k8s.io/v1 Lease."""

    spec: LeaseSpec = LeaseSpec()


class StatusCause(ObjectPart, frozen=True):
    """One cause of a status, such as the disruption budget that forbids an eviction, or the exit code of a command."""

    reason: ObjectWord = ""
    message: str = ""


class StatusDetails(ObjectPart, frozen=True):
    """The object that a status is about."""

    causes: tuple[StatusCause, ...] | None = None


class Status(ObjectPart, frozen=True):
    """v1 Status: the API server's reason for a refusal."""

    reason: ObjectWord = ""
    message: str = ""
    code: int = 0
    details: StatusDetails | None = None

    @property
    def causes(self) -> tuple[StatusCause, ...]:
        """The causes, as far as they are told."""
        return (self.details.causes or ()) if self.details is not None else ()
