"""Neighbours among pods and nodes, and the ones that this pod checks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import msgspec

from kubesonar.core.address import family_of, one_of_each_family
from kubesonar.core.hash_ring import place
from kubesonar.kube.types import Node, Pod

CORDON = ("node.kubernetes.io/unschedulable", "NoSchedule")
"""https://kubernetes.io/docs/reference/labels-annotations-taints/#node-kubernetes-io-unschedulable"""

_RING = 2**64


class Neighbour(msgspec.Struct, frozen=True):
    """A pod that can be checked. `schedulable` is "Schedulable" or, where nodes are not looked at, "Unknown";
    `addresses` has all its addresses, `address` first."""

    pod: str
    address: str
    host: str
    node: str
    schedulable: str
    phase: str
    addresses: tuple[str, ...]


class OwnPod(msgspec.Struct, frozen=True):
    """This pod (None where it was not found), and the name of its node (empty: unknown)."""

    pod: Pod | None
    node: str

    @property
    def families(self) -> frozenset[int]:
        """The families of its addresses, 4 and 6; empty where they are not known."""
        return frozenset(map(family_of, addresses_of(self.pod))) if self.pod else frozenset()


def addresses_of(pod: Pod) -> tuple[str, ...]:
    """Return the pod's address, and that of the other family where it has one."""
    return one_of_each_family([pod.status.pod_ip, *(entry.ip for entry in pod.status.pod_ips)])


def find_own_pod(pods: Iterable[Pod], name: str, is_own: Callable[[str], bool]) -> Pod | None:
    """Return this pod: by its name, else (in the host network, where the host name is the node's) by its address."""
    everybody = list(pods)
    named = next((pod for pod in everybody if pod.metadata.name == name), None)
    return named or next((pod for pod in everybody if _running(pod) and any(map(is_own, addresses_of(pod)))), None)


def neighbour_pods(pods: Iterable[Pod], nodes: Mapping[str, Node] | None, me: Pod | None) -> list[Neighbour]:
    """Return the pods that can be checked, ordered by node and name, without `me` and pods with the same address. With
    `nodes`, only pods on nodes that exist and are not cordoned; None: on any node."""
    mine = frozenset(addresses_of(me)) if me else frozenset()
    found = []
    for pod in pods:
        addresses = addresses_of(pod)
        if not _running(pod) or not addresses or (me and pod.metadata.key == me.metadata.key):
            continue
        if not mine.isdisjoint(addresses) or (nodes is not None and cordoned(nodes.get(pod.spec.node_name))):
            continue
        found.append(
            Neighbour(
                pod.metadata.name,
                addresses[0],
                pod.status.host_ip,
                pod.spec.node_name,
                "Unknown" if nodes is None else "Schedulable",
                pod.status.phase,
                addresses,
            )
        )
    return sorted(found, key=lambda neighbour: (neighbour.node, neighbour.pod))


def cordoned(node: Node | None) -> bool:
    """Whether a node is cordoned; one that does not exist counts as cordoned."""
    if node is None or node.spec.unschedulable:
        return True
    return any((taint.key, taint.effect) == CORDON for taint in node.spec.taints)


def nearest(everybody: list[Neighbour], own_node: str, limit: int) -> list[Neighbour]:
    """Return the `limit` neighbours that follow our own node on the ring of hashed node names; all where there are no
    more, or `limit` is 0 or less. So each pod is checked by exactly `limit` others."""
    if limit <= 0 or len(everybody) <= limit:
        return everybody
    start = place(own_node)
    return sorted(everybody, key=lambda neighbour: (place(neighbour.node) - start) % _RING)[:limit]


def _running(pod: Pod) -> bool:
    return pod.status.phase == "Running" and pod.metadata.deletion_timestamp is None
