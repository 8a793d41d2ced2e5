"""Pods and nodes as the API server writes them, decoded as the agent decodes them."""

from __future__ import annotations

from typing import Any

import msgspec

from kubesonar.kube.types import Node, Pod

Tree = dict[str, Any]

CREATED = "2026-11-21T08:00:00Z"
START = 1795248000.0
"""Unix seconds of `CREATED`."""
LATER = START + 3600


def pod_tree(name: str = "a", node: str = "n1", ips: tuple[str, ...] = ("10.0.0.1",), **changes: Any) -> dict[str, Any]:
    """A pod of an agent, ready unless `ready` is False; `meta`, `spec` and `status` are merged in."""
    ready = changes.pop("ready", True)
    tree: dict[str, Any] = {
        "metadata": {
            "name": name,
            "namespace": "net",
            "uid": f"uid-{name}",
            "labels": {"kubesonar.io/port": "7473", "controller-revision-hash": "one"},
            "creationTimestamp": CREATED,
            "ownerReferences": [{"kind": "DaemonSet", "name": "kubesonar", "uid": "d", "controller": True}],
        },
        "spec": {"nodeName": node, "containers": [{"name": "agent", "image": "kubesonar"}]},
        "status": {
            "phase": "Running",
            "hostIP": "192.0.2.1",
            "podIP": ips[0] if ips else "",
            "podIPs": [{"ip": ip} for ip in ips],
            "conditions": [
                {"type": "Ready", "status": str(ready), **({} if ready else {"reason": "ContainersNotReady"})}
            ],
        },
    }
    for part, more in changes.items():
        tree[{"meta": "metadata"}.get(part, part)].update(more)
    return tree


def node_tree(name: str = "n1", zone: str = "z1", ready: str = "True", **changes: Any) -> dict[str, Any]:
    """A node; `meta`, `spec` and `status` are merged in."""
    tree: dict[str, Any] = {
        "metadata": {"name": name, "labels": {"topology.kubernetes.io/zone": zone}, "creationTimestamp": CREATED},
        "spec": {"podCIDR": "10.0.0.0/24"},
        "status": {
            "conditions": [
                {"type": "MemoryPressure", "status": "False", "lastTransitionTime": CREATED},
                {"type": "Ready", "status": ready, "reason": "KubeletReady", "lastTransitionTime": CREATED},
            ]
        },
    }
    for part, more in changes.items():
        tree[{"meta": "metadata"}.get(part, part)].update(more)
    return tree


def pod(*args: Any, **changes: Any) -> Pod:
    """`pod_tree`, decoded."""
    return msgspec.json.decode(msgspec.json.encode(pod_tree(*args, **changes)), type=Pod)


def node(*args: Any, tree: Tree | None = None, **changes: Any) -> Node:
    """`node_tree`, or the `tree` that is given, decoded."""
    return msgspec.json.decode(msgspec.json.encode(tree or node_tree(*args, **changes)), type=Node)
