"""What the API double knows: objects, the history of their changes, who may do what. Safe to use from any thread."""

from __future__ import annotations

import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec

Tree = dict[str, Any]
Key = tuple[str, str, str]

GROUPS = {
    "pods": ("", "v1", "Pod"),
    "nodes": ("", "v1", "Node"),
    "services": ("", "v1", "Service"),
    "endpoints": ("", "v1", "Endpoints"),
    "namespaces": ("", "v1", "Namespace"),
    "events": ("events.k8s.io", "v1", "Event"),
    "configmaps": ("", "v1", "ConfigMap"),
    "secrets": ("", "v1", "Secret"),
    "endpointslices": ("discovery.k8s.io", "v1", "EndpointSlice"),
    "leases": ("coordination.k8s.io", "v1", "Lease"),
    "daemonsets": ("apps", "v1", "DaemonSet"),
    "jobs": ("batch", "v1", "Job"),
    "serviceaccounts": ("", "v1", "ServiceAccount"),
    "roles": ("rbac.authorization.k8s.io", "v1", "Role"),
    "rolebindings": ("rbac.authorization.k8s.io", "v1", "RoleBinding"),
    "deployments": ("apps", "v1", "Deployment"),
    "customresourcedefinitions": ("apiextensions.k8s.io", "v1", "CustomResourceDefinition"),
    "records": ("kubesonar.io", "v1", "Record"),
    "agents": ("network-checker.ext", "v1", "Agent"),
}
"""The resources served: group, version and kind."""

CLUSTER_SCOPED = frozenset({"nodes", "namespaces", "customresourcedefinitions"})


class Refused(Exception):
    """Answered with a v1 Status."""

    def __init__(self, code: int, reason: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.code, self.reason, self.message, self.headers = code, reason, message, headers or {}
        self.details: Tree = {}

    def status(self) -> Tree:
        """The body."""
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            **({"details": self.details} if self.details else {}),
            "code": self.code,
        }


class Change(NamedTuple):
    """One entry of the history; `before` is None for what was not there."""

    version: int
    type: str
    resource: str
    object: Tree
    before: Tree | None


class Store:
    """Objects with resourceVersions that count for all of them together, as etcd's revision does."""

    def __init__(self, window: int) -> None:
        self.lock = threading.RLock()
        self.version = 100
        self.wake: Callable[[], None] = lambda: None
        self._objects: dict[Key, Tree] = {}
        self._history: deque[Change] = deque(maxlen=window)
        self._oldest = self.version

    def put(self, resource: str, tree: Tree, *, verb: str = "put") -> Tree:
        """Creates or replaces ("put"), only creates ("create"), or only replaces what has this version ("update")."""
        with self.lock:
            tree = _copy(tree)
            meta = tree.setdefault("metadata", {})
            if resource not in CLUSTER_SCOPED:
                meta.setdefault("namespace", "default")
            key = (resource, meta.get("namespace", ""), meta["name"])
            before = self._objects.get(key)
            self._check(resource, meta, before, verb)
            group, version, kind = GROUPS[resource]
            tree["apiVersion"], tree["kind"] = f"{group}/{version}" if group else version, kind
            meta["uid"] = before["metadata"]["uid"] if before else meta.get("uid") or str(uuid.uuid4())
            meta.setdefault("creationTimestamp", "2026-11-21T07:00:00Z")
            self._record("MODIFIED" if before else "ADDED", resource, tree, before)
            self._objects[key] = tree
            return _copy(tree)

    def delete(self, resource: str, name: str, namespace: str = "default") -> Tree:
        """Removes an object; its last state with the version of the removal."""
        with self.lock:
            key = (resource, "" if resource in CLUSTER_SCOPED else namespace, name)
            before = self._objects.pop(key, None)
            if before is None:
                raise _missing(resource, name)
            gone = _copy(before)
            self._record("DELETED", resource, gone, before)
            return _copy(gone)

    def get(self, resource: str, name: str, namespace: str = "default") -> Tree:
        """One object."""
        with self.lock:
            found = self._objects.get((resource, "" if resource in CLUSTER_SCOPED else namespace, name))
            if found is None:
                raise _missing(resource, name)
            return _copy(found)

    def all(self, resource: str, fits: Callable[[Tree], bool]) -> tuple[list[Tree], int]:
        """The objects that fit, in the order of their keys, and the version at which they are so."""
        with self.lock:
            entries = sorted((key, tree) for key, tree in self._objects.items() if key[0] == resource)
            return [tree for _, tree in entries if fits(tree)], self.version

    def since(self, version: int, resource: str, fits: Callable[[Tree], bool]) -> tuple[list[tuple[str, Tree]], int]:
        """The events after `version`, and the version to go on from. Raises Refused (410) where that is too old."""
        with self.lock:
            if version < self._oldest:
                raise Refused(410, "Expired", f"too old resource version: {version} ({self._oldest})")
            changes = [change for change in self._history if change.version > version and change.resource == resource]
            return [event for change in changes for event in _seen(change, fits)], self.version

    def forget(self) -> None:
        """Forgets the history, as etcd's compaction does: every version up to the present one has expired."""
        with self.lock:
            self._history.clear()
            self.version += 1
            self._oldest = self.version

    def _record(self, type: str, resource: str, tree: Tree, before: Tree | None) -> None:
        self.version += 1
        tree["metadata"]["resourceVersion"] = str(self.version)
        if len(self._history) == self._history.maxlen:
            self._oldest = self._history[0].version
        self._history.append(Change(self.version, type, resource, tree, before))
        self.wake()

    def _check(self, resource: str, meta: Tree, before: Tree | None, verb: str) -> None:
        name = meta["name"]
        if verb == "create" and before is not None:
            raise Refused(409, "AlreadyExists", f'{resource} "{name}" already exists')
        if verb == "update" and before is None:
            raise _missing(resource, name)
        wanted = meta.get("resourceVersion")
        if verb == "update" and before and wanted not in (None, "", before["metadata"]["resourceVersion"]):
            raise Refused(
                409,
                "Conflict",
                f'Operation cannot be fulfilled on {resource} "{name}": the object has been modified; '
                "please apply your changes to the latest version and try again",
            )


def _seen(change: Change, fits: Callable[[Tree], bool]) -> Iterator[tuple[str, Tree]]:
    """As one who watches with a selector sees it: what no longer fits is deleted, what fits now is added."""
    was, is_now = change.before is not None and fits(change.before), fits(change.object)
    if change.type == "DELETED":
        if was:
            yield "DELETED", change.object
    elif was and is_now:
        yield "MODIFIED", change.object
    elif is_now:
        yield "ADDED", change.object
    elif was:
        yield "DELETED", change.object


def _missing(resource: str, name: str) -> Refused:
    return Refused(404, "NotFound", f'{resource} "{name}" not found')


def _copy(tree: Tree) -> Tree:
    copied: Tree = msgspec.json.decode(msgspec.json.encode(tree))
    return copied
