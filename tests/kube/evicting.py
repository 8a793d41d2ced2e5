"""Evictions as an API server has them (policy/v1): budgets, preconditions, and an owner that makes successors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from tests.kube.requests import Asked
from tests.kube.store import Refused, Store, Tree


class EvictionSwitches:
    """`budgets` are those that match every pod, each with the healthy pods that it needs. `successor` makes the pod
    that comes for an evicted one, None for none."""

    def __init__(self) -> None:
        self.budgets: list[int] = []
        self.successor: Callable[[Tree], Tree | None] = lambda pod: None


def evict(store: Store, switches: EvictionSwitches, request: Asked, body: bytes) -> Tree:
    """Evict the pod. Raises Refused with what a real API server says (reference samples)."""
    pod = store.get("pods", request.name, request.namespace)
    wanted: dict[str, Any] = msgspec.json.decode(body)
    if wanted.get("apiVersion") != "policy/v1" or wanted.get("kind") != "Eviction":
        raise Refused(400, "BadRequest", "no Eviction of policy/v1")
    require(pod, wanted.get("deleteOptions", {}).get("preconditions", {}))
    if len(switches.budgets) > 1:
        message = "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."
        raise Refused(500, "", message)
    healthy = sum(map(_ready, store.all("pods", lambda tree: True)[0]))
    for needed in switches.budgets:
        if _ready(pod) and healthy <= needed:
            refused = Refused(
                429, "TooManyRequests", "Cannot evict pod as it would violate the pod's disruption budget."
            )
            said = f"The disruption budget one needs {needed} healthy pods and has {healthy} currently"
            refused.details = {"causes": [{"reason": "DisruptionBudget", "message": said}]}
            raise refused
    replace(store, switches, pod)
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}


def replace(store: Store, switches: EvictionSwitches, pod: Tree) -> Tree:
    """Delete the pod, and let its owner make another one."""
    gone = store.delete("pods", pod["metadata"]["name"], pod["metadata"]["namespace"])
    successor = switches.successor(pod)
    if successor is not None:
        store.put("pods", successor)
    return gone


def require(found: Tree, preconditions: dict[str, Any]) -> None:
    """Raises Refused where the object is not the one of these preconditions: its uid, its version."""
    for field, words in (("uid", "UID"), ("resourceVersion", "ResourceVersion")):
        wanted, mine = preconditions.get(field), found["metadata"][field]
        if wanted not in (None, mine):
            message = f"Precondition failed: {words} in precondition: {wanted}, {words} in object meta: {mine}"
            raise Refused(409, "Conflict", message)


def _ready(pod: Tree) -> bool:
    rows = pod.get("status", {}).get("conditions", [])
    return any(row["type"] == "Ready" and row["status"] == "True" for row in rows)
