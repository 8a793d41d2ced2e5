"""The state that is expected of a pod's member, and the reason (the table is in docs/kubernetes.md).

Each row answers whether somebody should be called out when the agent in this pod is silent. A change that was announced
before the silence is a state that excuses it. A node that Kubernetes calls NotReady excuses nothing, and a pod that
should be running and is not ready by its own fault is excused only until it has started once, or should have.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from kubesonar.discovery.pods.history import History, is_pod_ready
from kubesonar.discovery.pods.node_state import (
    NodeTrouble,
    is_cordoned,
    is_shutting_down,
    is_virtual,
    leaving,
    not_ready,
)
from kubesonar.kube.object_meta import find_condition, unix_seconds
from kubesonar.kube.types import Node, Pod
from kubesonar.model import State, clip

_SAME_MOMENT = 2.0
"""Seconds by which two conditions of a pod that were set by one first report may differ."""

_CRASHES = 2
"""Restarts from which on a container that does not run crashes again and again."""


class ExpectedState(msgspec.Struct, frozen=True):
    """A state with its reason and its beginning (Unix seconds, 0 unknown). `due` is when time alone ends it (Unix
    seconds), None where it does not."""

    state: State
    reason: str = ""
    due: float | None = None
    since: float = 0.0


def expected_state(
    pod: Pod, nodes: Mapping[str, Node] | None, now: float, starting: float, history: History
) -> ExpectedState:
    """Return the state that is expected of a pod's member at `now` (Unix seconds).

    `nodes` is None where nodes may not be read; `starting` is how long a pod may take to become ready after its
    creation (s).
    """
    name = pod.spec.node_name
    node = nodes.get(name) if nodes is not None else None
    ready_by = unix_seconds(pod.metadata.creation_timestamp) + starting
    young = now < ready_by and not _has_started(pod, history)
    if nodes is not None and node is None and not young and name not in history.doubtful:
        return ExpectedState(State.DELETED, f"node {name} is gone")
    trouble = not_ready(node) if node is not None else None
    if pod.metadata.deletion_timestamp is not None and (
        state := _terminating(pod, node, trouble, now, starting, history)
    ):
        return state
    if node is not None and (state := _announced(pod, node, history)):
        return state
    waits = pod.status.phase != "Running" and not pod.status.pod_ip
    if waits and node is not None and is_virtual(node):
        return _unsupported(pod)
    if young and (trouble is None or trouble.new):
        return _starting(pod, ready_by)
    if trouble is not None:
        return ExpectedState(State.NOT_READY, trouble.reason, since=trouble.since)
    if waits and node is not None and not (pod.status.host_ip or pod.status.start_time):
        return _unsupported(pod)  # a kubelet takes notice of a pod at once
    return ExpectedState(State.SERVING, "" if is_pod_ready(pod) else _unready(pod, "is not ready"))


def _has_started(pod: Pod, history: History) -> bool:
    """Return whether the pod is or was ready, or crashes instead.

    Containers that are ready in a pod that is not, and a loss of readiness after the first report, tell of it also to
    an agent that did not see it: only a change moves the time of a condition.
    """
    if is_pod_ready(pod) or history.was_ready(pod) or _crashes(pod):
        return True
    conditions = pod.status.conditions
    containers = find_condition(conditions, "ContainersReady")
    if containers is not None and containers.status == "True":
        return True
    first, ready = find_condition(conditions, "Initialized"), find_condition(conditions, "Ready")
    return bool(first and ready and first.status == "True" and ready.since > first.since + _SAME_MOMENT)


def _crashes(pod: Pod) -> bool:
    return any(
        container.restart_count >= _CRASHES
        or (container.state.waiting is not None and container.state.waiting.reason == "CrashLoopBackOff")
        for container in pod.status.container_statuses
    )


def _terminating(
    pod: Pod, node: Node | None, trouble: NodeTrouble | None, now: float, starting: float, history: History
) -> ExpectedState | None:
    """Return the state of a pod that is being deleted. None where its node was not ready before, since the deletion is
    then an answer to the failure, and where it is not ready and the pod should have been gone for long."""
    gone_by = unix_seconds(pod.metadata.deletion_timestamp)
    began = gone_by - (pod.metadata.deletion_grace_period_seconds or 0)
    if node is not None and (leaving(node) or _was_cordoned(node, history)):
        return ExpectedState(State.DRAINING, f"node {node.metadata.name} is being drained")
    due = gone_by + starting if trouble is not None else None
    if trouble is not None and due is not None and (0 < trouble.since < began or now >= due):
        return None
    if any(owner.controller and owner.kind == "DaemonSet" for owner in pod.metadata.owner_references):
        return ExpectedState(State.ROLLING, "its DaemonSet replaces it", due)
    return ExpectedState(State.DELETED, "its pod is being deleted", due)


def _announced(pod: Pod, node: Node, history: History) -> ExpectedState | None:
    """Return the state that was announced for the pod's node, None where none was."""
    name = node.metadata.name
    disrupted = find_condition(pod.status.conditions, "DisruptionTarget")
    cordoned = _was_cordoned(node, history)
    if (why := leaving(node)) or (cordoned and disrupted is not None and disrupted.status == "True"):
        return ExpectedState(State.DRAINING, clip(f"node {name} is being drained" + (f": {why}" if why else "")))
    if is_shutting_down(node) or name in history.shut_down:
        return ExpectedState(State.DRAINING, f"node {name} is shutting down")
    if cordoned:
        return ExpectedState(State.CORDONED, f"node {name} is cordoned")
    return None


def _was_cordoned(node: Node, history: History) -> bool:
    return is_cordoned(node) and node.metadata.name not in history.failed


def _starting(pod: Pod, ready_by: float) -> ExpectedState:
    return ExpectedState(State.STARTING, _unready(pod, "has not been ready yet"), ready_by)


def _unsupported(pod: Pod) -> ExpectedState:
    return ExpectedState(
        State.UNSUPPORTED, clip(f"node {pod.spec.node_name} can run no agent{_reason(pod) or ': Pending'}")
    )


def _unready(pod: Pod, what: str) -> str:
    return clip(f"its pod {what}{_reason(pod)}")


def _reason(pod: Pod) -> str:
    """Return why the pod is not ready as the API has it: a container's reason to wait, the condition's, the phase."""
    waiting = [state.waiting.reason for one in pod.status.container_statuses if (state := one.state).waiting]
    ready = find_condition(pod.status.conditions, "Ready")
    words = [*waiting, pod.status.reason, ready.reason if ready else "", pod.status.phase]
    return next((f": {word}" for word in words if word), "")
