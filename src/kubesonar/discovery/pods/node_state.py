"""Reads what the API says of a node: whether it was announced that it goes, whether it is ready, whether it has a
kubelet.

A kubelet's silence announces nothing: it is a symptom of what agents look for.
"""

from __future__ import annotations

import msgspec

from kubesonar.kube.object_meta import find_condition, unix_seconds
from kubesonar.kube.types import Node
from kubesonar.model import clip

UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
"""The taint of a cordoned node (https://kubernetes.io/docs/reference/labels-annotations-taints/)."""

LEAVING = frozenset(
    {
        "ToBeDeletedByClusterAutoscaler",  # cluster-autoscaler, utils/taints
        "karpenter.sh/disruption",  # before Karpenter 1.0
        "karpenter.sh/disrupted",  # https://karpenter.sh/docs/concepts/disruption/
        "node.cloudprovider.kubernetes.io/shutdown",
        "node.kubernetes.io/out-of-service",
        "cloud.google.com/impending-node-termination",
        "aws-node-termination-handler/spot-itn",
        "aws-node-termination-handler/scheduled-maintenance",
        "aws-node-termination-handler/asg-lifecycle-termination",
        "aws-node-termination-handler/rebalance-recommendation",
    }
)
"""Taints of nodes that are about to go, as autoscalers and cloud providers set them."""

_SHUTTING_DOWN = "node is shutting down"
"""The reasons that kubelet gives as its node shuts down in order (pkg/kubelet/nodeshutdown)."""

_SILENT = "NodeStatusUnknown"
"""The reason that Kubernetes gives where a kubelet has fallen silent."""

_NEVER_HEARD = "NodeStatusNeverUpdated"
"""The reason that Kubernetes gives where no kubelet ever spoke for the node."""

_TROUBLES = ("DiskPressure", "MemoryPressure", "PIDPressure", "NetworkUnavailable")

_VIRTUAL = (("type", "virtual-kubelet"), ("eks.amazonaws.com/compute-type", "fargate"))
"""Labels of nodes without a kubelet."""

_VIRTUAL_TAINT = "virtual-kubelet.io/"

_FIRST_STATUS = 2.0
"""Seconds between a node's creation and its first condition within which it was never ready before."""


class NodeTrouble(msgspec.Struct, frozen=True):
    """The trouble of a node that is not ready: the reason (empty where its kubelet is silent), since when (Unix
    seconds, 0 unknown), and whether it never was ready."""

    reason: str
    since: float
    new: bool


def leaving(node: Node) -> str:
    """Return why a node is about to go, empty where it stays."""
    if node.metadata.deletion_timestamp is not None:
        return "it is being deleted"
    return next((f"taint {taint.key}" for taint in node.spec.taints if taint.key in LEAVING), "")


def is_cordoned(node: Node) -> bool:
    """Return whether a node is cordoned, and was so before it became unready: a cordon after that is an answer to the
    failure. A cordon whose time is not known counts as earlier."""
    taints = [taint for taint in node.spec.taints if taint.key == UNSCHEDULABLE]
    trouble = not_ready(node)
    if trouble is None or not trouble.since or not taints:
        return node.spec.unschedulable or bool(taints)
    return any(unix_seconds(taint.time_added) <= trouble.since for taint in taints)


def is_shutting_down(node: Node) -> bool:
    """Return whether kubelet says that its node shuts down in order."""
    ready = find_condition(node.status.conditions, "Ready")
    return ready is not None and ready.status == "False" and _SHUTTING_DOWN in ready.message


def not_ready(node: Node) -> NodeTrouble | None:
    """Return why the node's condition `Ready` is not True; None where it is."""
    ready = find_condition(node.status.conditions, "Ready")
    if ready is None:
        return NodeTrouble("no condition Ready", 0.0, new=False)
    if ready.status == "True":
        return None
    created = unix_seconds(node.metadata.creation_timestamp)
    return NodeTrouble(
        reason="" if ready.status == "Unknown" and ready.reason == _SILENT else _reasons(node, ready.message),
        since=ready.since,
        new=ready.reason == _NEVER_HEARD or (bool(created) and ready.since <= created + _FIRST_STATUS),
    )


def is_virtual(node: Node) -> bool:
    """Return whether a node has no kubelet, so that DaemonSets' pods do not run on it."""
    labels = node.metadata.labels
    tainted = any(taint.key.startswith(_VIRTUAL_TAINT) for taint in node.spec.taints)
    return tainted or any(labels.get(key) == value for key, value in _VIRTUAL)


def _reasons(node: Node, message: str) -> str:
    """Return what kubelet says of itself, and the node's other troubles."""
    conditions = node.status.conditions
    ready = find_condition(conditions, "Ready")
    own = message or (ready.reason if ready else "")
    others = [row.type for row in conditions if row.type in _TROUBLES and row.status == "True"]
    return clip("; ".join([own, *others] if own else others))
