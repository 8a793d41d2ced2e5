"""Leases of the lab's API server, by which collectors elect one that leads: read, created and patched, nothing more."""

from __future__ import annotations

from typing import Any

from kubesonar.core.decoding import Undecodable, decode_json
from kubesonar.core.encoding import encode_json
from kubesonar.web import Reply, Request

_COLLECTION = "/apis/coordination.k8s.io/v1/namespaces/default/leases"

_MOST = 100
"""Most Leases that are kept. More, and a client that makes one after the other fills memory."""


class LabLeases:
    """The Leases of the namespace default. A change of another version than the present is refused with 409."""

    def __init__(self) -> None:
        self._leases: dict[str, dict[str, Any]] = {}
        self._version = 0

    def has(self, path: str) -> bool:
        """Return whether the path is that of the Leases, or of one."""
        return path == _COLLECTION or path.startswith(f"{_COLLECTION}/")

    def reply(self, request: Request) -> Reply:
        """Return the Lease that is asked for, made or changed, or the status of a refusal."""
        name = request.path.removeprefix(_COLLECTION).lstrip("/")
        if request.method == "GET" and name:
            return self._of(name)
        try:
            tree = decode_json(request.body, dict[str, Any])
            metadata, spec = dict(tree["metadata"]), dict(tree["spec"])
        except (Undecodable, KeyError, TypeError, ValueError):
            return _refusal(400, "BadRequest")
        if request.method == "POST" and not name:
            return self._made(str(metadata.get("name", "")), spec)
        if request.method == "PATCH" and name:
            return self._patched(name, metadata, spec)
        return _refusal(405, "MethodNotAllowed")

    def _of(self, name: str) -> Reply:
        lease = self._leases.get(name)
        return Reply(encode_json(lease)) if lease is not None else _refusal(404, "NotFound")

    def _made(self, name: str, spec: dict[str, Any]) -> Reply:
        if not name or len(self._leases) >= _MOST:
            return _refusal(422, "Invalid")
        if name in self._leases:
            return _refusal(409, "AlreadyExists")
        return self._kept(name, spec)

    def _patched(self, name: str, metadata: dict[str, Any], spec: dict[str, Any]) -> Reply:
        before = self._leases.get(name)
        if before is None:
            return _refusal(404, "NotFound")
        if (
            metadata.get("resourceVersion", before["metadata"]["resourceVersion"])
            != before["metadata"]["resourceVersion"]
        ):
            return _refusal(409, "Conflict")
        return self._kept(name, before["spec"] | spec)

    def _kept(self, name: str, spec: dict[str, Any]) -> Reply:
        self._version += 1
        metadata = {"name": name, "namespace": "default", "resourceVersion": str(self._version)}
        kind = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
        self._leases[name] = {**kind, "metadata": metadata, "spec": spec}
        return self._of(name)


def _refusal(status: int, reason: str) -> Reply:
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": status}
    return Reply(encode_json(body), status=status)
