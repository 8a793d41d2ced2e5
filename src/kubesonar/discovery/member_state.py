"""The state that is expected of a pod's member, and the reason (the table is in docs/kubernetes.md).

Each row answers whether somebody should be called out when the agent in this pod is silent. A change that was made on
purpose, and one that the cluster has announced for the node, is a state. A pod that should be running and is not ready
by its own fault is excused only for as long as starting takes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

import msgspec

from kubesonar.kube.object_meta import ObjectCondition
from kubesonar.kube.types import Node, Pod
from kubesonar.model import State, clip

UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
"""The taint of a cordoned node (https://kubernetes.io/docs/reference/labels-annotations-taints/)."""

LEAVING = frozenset(
    {
        "ToBeDeletedByClusterAutoscaler",  # cluster-autoscaler, utils/taints
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


class ExpectedState(msgspec.Struct, frozen=True):
    """A state with its reason. `due` is when time alone ends it (Unix seconds), None where it does not."""

    state: State
    reason: str = ""
    due: float | None = None


def expected_state(
    pod: Pod, nodes: Mapping[str, Node] | None, now: float, starting: float, doubtful: Collection[str] = ()
) -> ExpectedState:
    """Return the state that is expected of a pod's member at `now` (Unix seconds).

    `nodes` is None where nodes may not be read; `doubtful` are names of nodes whose absence from them proves nothing;
    `starting` is how long a pod may take to become ready after its creation or its node's return (s).
    """
    name = pod.spec.node_name
    node = nodes.get(name) if nodes is not None else None
    ready_by = max(_unix_seconds(pod.metadata.creation_timestamp), _ready_since(node)) + starting
    young = now < ready_by and not _is_ready(pod)
    if nodes is not None and node is None and not young and name not in doubtful:
        return ExpectedState(State.DELETED, f"node {name} is gone")
    if pod.metadata.deletion_timestamp is not None:
        return _terminating(pod, node)
    if node is not None and (state := _from_node(pod, node)) is not None:
        return state
    if young:
        return ExpectedState(State.STARTING, _unready(pod, "has not been ready yet"), ready_by)
    return ExpectedState(State.SERVING, "" if _is_ready(pod) else _unready(pod, "is not ready"))


def _terminating(pod: Pod, node: Node | None) -> ExpectedState:
    """Return the state of a pod that is being deleted."""
    if node is not None and (_is_leaving(node) or _is_cordoned(node)):
        return ExpectedState(State.DRAINING, f"node {node.metadata.name} is being drained")
    if any(owner.controller and owner.kind == "DaemonSet" for owner in pod.metadata.owner_references):
        return ExpectedState(State.ROLLING, "its DaemonSet replaces it")
    return ExpectedState(State.DELETED, "its pod is being deleted")


def _from_node(pod: Pod, node: Node) -> ExpectedState | None:
    """Return the state that its node gives to a pod, None where the node is in order."""
    name = node.metadata.name
    if (why := _is_leaving(node)) or (_is_cordoned(node) and _condition(pod, "DisruptionTarget") == "True"):
        return ExpectedState(State.DRAINING, clip(f"node {name} is being drained" + (f": {why}" if why else "")))
    if _condition(node, "Ready") != "True":
        return ExpectedState(State.NOT_READY, clip(f"node {name} is not ready{_reason(node, 'Ready')}"))
    if _is_cordoned(node):
        return ExpectedState(State.CORDONED, f"node {name} is cordoned")
    return None


def _is_leaving(node: Node) -> str:
    """Return why a node is about to go, empty where it stays."""
    if node.metadata.deletion_timestamp is not None:
        return "it is being deleted"
    return next((f"taint {taint.key}" for taint in node.spec.taints if taint.key in LEAVING), "")


def _is_cordoned(node: Node) -> bool:
    return node.spec.unschedulable or any(taint.key == UNSCHEDULABLE for taint in node.spec.taints)


def _is_ready(pod: Pod) -> bool:
    return _condition(pod, "Ready") == "True"


def _unready(pod: Pod, what: str) -> str:
    phase = pod.status.phase
    return clip(f"its pod {what}{_reason(pod, 'Ready') or (f': {phase}' if phase else '')}")


def _reason(of: Pod | Node, kind: str) -> str:
    found = _find_condition(of, kind)
    return f": {found.reason}" if found and found.reason else ""


def _condition(of: Pod | Node, kind: str) -> str:
    """Return the status of a condition; without the condition Unknown, as the API's conventions say."""
    found = _find_condition(of, kind)
    return found.status if found else "Unknown"


def _find_condition(of: Pod | Node, kind: str) -> ObjectCondition | None:
    return next((row for row in of.status.conditions if row.type == kind), None)


def _ready_since(node: Node | None) -> float:
    """Return when the node became ready (Unix seconds): it may have been restarted, and its pods with it."""
    row = _find_condition(node, "Ready") if node else None
    return _unix_seconds(row.last_transition_time) if row else 0.0


def _unix_seconds(text: str | None) -> float:
    """Return the Unix seconds of a time as the API writes it, 0 for none."""
    try:
        return datetime.fromisoformat(text).timestamp() if text else 0.0
    except (ValueError, OverflowError):
        return 0.0
