"""Turns pods, and the nodes they run on, into members, without a clock or a request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from kubesonar.core.address import one_of_each_family, packed_address, read_port
from kubesonar.discovery.pods.history import History
from kubesonar.discovery.pods.member_state import ExpectedState, expected_state
from kubesonar.kube.types import Node, Pod
from kubesonar.model import Member, Network, is_name

PORT_LABEL = "kubesonar.io/port"
"""The label of agents' pods; its value is the port of their responder."""

ZONE_LABEL = "topology.kubernetes.io/zone"
"""https://kubernetes.io/docs/reference/labels-annotations-taints/#topologykubernetesiozone"""


class PodMembers(msgspec.Struct, frozen=True):
    """Members, in the order of their names.

    `due` is when time alone changes the state of one (Unix seconds); `over` says of pods that ended why, and `odd` of
    pods that cannot be members what is wrong with them, each by the pod's name.
    """

    members: tuple[Member, ...]
    due: float | None
    over: dict[str, str]
    odd: dict[str, str]


def members_of_pods(
    pods: Iterable[Pod],
    nodes: Mapping[str, Node] | None,
    now: float,
    *,
    starting: float,
    port: int = 0,
    history: History,
) -> PodMembers:
    """Return the members that these pods are at `now` (Unix seconds).

    `nodes` is None where nodes may not be read: zones and states of nodes are then unknown. `starting` is how
    long a pod may take to become ready (s). `port` stands in for a missing label (0: such a pod is no member).
    `history` holds what earlier lists said. A pod that is not scheduled yet is left out.
    """
    found: list[tuple[Pod, Member, ExpectedState]] = []
    over: dict[str, str] = {}
    odd: dict[str, str] = {}
    for pod in pods:
        name, node = pod.metadata.name, pod.spec.node_name
        if pod.status.phase in _OVER:
            over[name] = _end(pod)
        elif fault := _fault(pod, port):
            odd[name] = fault
        elif node:
            expected = expected_state(pod, nodes, now, starting, history)
            found.append((pod, _member(pod, nodes, expected, port), expected))
    dues = [expected.due for _, _, expected in found if expected.due is not None]
    return PodMembers(tuple(_apart(found)), min(dues, default=None), over, odd)


_OVER = frozenset({"Succeeded", "Failed"})


def _end(pod: Pod) -> str:
    how = "has failed" if pod.status.phase == "Failed" else "has ended"
    return f"its pod {how}" + (f": {pod.status.reason}" if is_name(pod.status.reason) else "")


def _fault(pod: Pod, port: int) -> str:
    """Return why this pod cannot be a member, empty where it can."""
    if not is_name(pod.metadata.name) or (pod.spec.node_name and not is_name(pod.spec.node_name)):
        return "its name or its node's is empty, too long or not printable"
    if not _port(pod, port):
        given = pod.metadata.labels.get(PORT_LABEL, "")
        return f"its label {PORT_LABEL} is {given[:20]!r}, expected a port from 1 to 65535"
    return ""


def _port(pod: Pod, port: int) -> int:
    """Return the port of the pod's responder, 0 where its label holds no port."""
    text = pod.metadata.labels.get(PORT_LABEL)
    return port if text is None else read_port(text)


def _member(pod: Pod, nodes: Mapping[str, Node] | None, expected: ExpectedState, port: int) -> Member:
    node = nodes.get(pod.spec.node_name) if nodes else None
    zone = node.metadata.labels.get(ZONE_LABEL, "") if node else ""
    return Member(
        name=pod.metadata.name,
        node=pod.spec.node_name,
        addresses=_addresses(pod),
        port=_port(pod, port),
        network=Network.HOST if pod.spec.host_network else Network.POD,
        zone=zone if is_name(zone) else "",
        state=expected.state,
        reason=expected.reason,
        since=expected.since,
    )


def _addresses(pod: Pod) -> tuple[str, ...]:
    """Return one address of each family; in the host network the host's where the pod's status lacks them."""
    status = pod.status
    texts = [status.pod_ip, *(one.ip for one in status.pod_ips)]
    if pod.spec.host_network:
        texts += [status.host_ip, *(one.ip for one in status.host_ips)]
    return one_of_each_family(texts)


def _apart(found: list[tuple[Pod, Member, ExpectedState]]) -> Iterator[Member]:
    """Yield the members by name, each address and port with one of them.

    A pod that is being deleted and its successor may claim the same address, and do so in the host network. The
    successor gets it.
    """
    taken: dict[tuple[bytes, int], str] = {}
    for pod, member, _ in sorted(found, key=_claim, reverse=True):
        for address in member.addresses:
            taken.setdefault((packed_address(address), member.port), pod.metadata.name)
    for _, member, _ in sorted(found, key=lambda one: one[1].name):
        own = tuple(a for a in member.addresses if taken[packed_address(a), member.port] == member.name)
        yield member if own == member.addresses else msgspec.structs.replace(member, addresses=own)


def _claim(one: tuple[Pod, Member, ExpectedState]) -> tuple[bool, bool, str, str]:
    pod, member, _ = one
    staying = pod.metadata.deletion_timestamp is None
    return staying, member.expected, pod.metadata.creation_timestamp or "", member.name
