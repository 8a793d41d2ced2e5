"""Kubernetes objects with the fields that a doctor reads and an agent does not.

Lists and maps that the API server may send as null are `None`-able.
"""

from __future__ import annotations

import msgspec

from kubesonar.core.address import unicast
from kubesonar.core.dns_check.questions import Port
from kubesonar.kube.object_meta import IpText, Object, ObjectPart, ObjectWord
from kubesonar.kube.types import PodStatus


class NamedPort(ObjectPart, frozen=True):
    """A port of a Service; `node_port` is 0 where it has none."""

    port: Port
    name: ObjectWord | None = None
    protocol: ObjectWord = "TCP"
    node_port: Port = 0


class FullServiceSpec(ObjectPart, frozen=True):
    """The ports by which a Service is reached, and which pods it selects."""

    type: ObjectWord = "ClusterIP"
    selector: dict[str, str] | None = None
    cluster_ip: IpText = msgspec.field(default="", name="clusterIP")
    cluster_ips: tuple[IpText, ...] | None = msgspec.field(default=None, name="clusterIPs")
    external_ips: tuple[IpText, ...] | None = msgspec.field(default=None, name="externalIPs")
    ports: tuple[NamedPort, ...] | None = None


class BalancerAddress(ObjectPart, frozen=True):
    """One address of a load balancer, empty where it has a name only."""

    ip: IpText = ""


class BalancerStatus(ObjectPart, frozen=True):
    """The addresses of a load balancer."""

    ingress: tuple[BalancerAddress, ...] | None = None


class FullServiceStatus(ObjectPart, frozen=True):
    """The observed Service."""

    load_balancer: BalancerStatus = BalancerStatus()


class FullService(Object, frozen=True):
    """v1 Service with everything that leads to it."""

    spec: FullServiceSpec = FullServiceSpec()
    status: FullServiceStatus = FullServiceStatus()

    @property
    def vips(self) -> tuple[str, ...]:
        """The cluster IPs; a headless Service has none."""
        return unicast(self.spec.cluster_ips or (self.spec.cluster_ip,))

    @property
    def outside(self) -> tuple[str, ...]:
        """The addresses outside the cluster: external IPs and those of its load balancer."""
        balancer = self.status.load_balancer.ingress or ()
        return unicast([*(self.spec.external_ips or ()), *(entry.ip for entry in balancer)])

    def port(self, protocol: str, number: int = 0) -> NamedPort | None:
        """Return the port for DNS by "UDP" or "TCP": the one with this number, or without one that named for DNS, else
        port 53, else the only one; None where there is none."""
        fitting = [port for port in self.spec.ports or () if port.protocol == protocol]
        if number:
            return next((port for port in fitting if port.port == number), None)
        for fits in (lambda port: (port.name or "").startswith("dns"), lambda port: port.port == 53):
            if found := next(filter(fits, fitting), None):
                return found
        return fitting[0] if len(fitting) == 1 else None


class ConfigMap(Object, frozen=True):
    """v1 ConfigMap."""

    data: dict[str, str] | None = None


class NodeAddress(ObjectPart, frozen=True):
    """One address of a node; `type` is InternalIP, ExternalIP or Hostname."""

    type: ObjectWord
    address: ObjectWord


class AddressedNodeStatus(ObjectPart, frozen=True):
    """The addresses of a node."""

    addresses: tuple[NodeAddress, ...] | None = None


class AddressedNode(Object, frozen=True):
    """v1 Node with its addresses."""

    status: AddressedNodeStatus = AddressedNodeStatus()


class ContainerPart(ObjectPart, frozen=True):
    """The image of a container, and how it was started."""

    image: ObjectWord = ""
    args: tuple[ObjectWord, ...] | None = None


class ContainedPodSpec(ObjectPart, frozen=True):
    """The containers of a pod, and its node."""

    node_name: ObjectWord = ""
    containers: tuple[ContainerPart, ...] = ()


class ContainedPod(Object, frozen=True):
    """v1 Pod with its containers."""

    spec: ContainedPodSpec = ContainedPodSpec()
    status: PodStatus = PodStatus()
