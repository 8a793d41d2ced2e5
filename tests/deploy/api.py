"""As much of an API server as helm's `lookup` of a DaemonSet asks: which kinds there are, and that one object."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self


class Api:
    """A context manager. `daemonsets` by namespace and name."""

    def __init__(self, daemonsets: dict[tuple[str, str], dict[str, Any]]) -> None:
        answers: dict[str, Any] = {
            "/version": {"major": "1", "minor": "34", "gitVersion": "v1.34.0"},
            "/api": {"kind": "APIVersions", "versions": ["v1"]},
            "/apis": {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(version) for version in _GROUPS]},
            "/api/v1": _kinds("v1", _CORE),
        }
        answers |= {f"/apis/{version}": _kinds(version, kinds) for version, kinds in _GROUPS.items()}
        for (namespace, name), tree in daemonsets.items():
            path = f"/apis/apps/v1/namespaces/{namespace}/daemonsets/{name}"
            answers[path] = {"apiVersion": "apps/v1", "kind": "DaemonSet", **tree}

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = answers.get(self.path.partition("?")[0])
                body = json.dumps(found or {"kind": "Status", "apiVersion": "v1", "reason": "NotFound", "code": 404})
                self.send_response(200 if found else 404)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, format: str, *args: object) -> None:
                """Says nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def kubeconfig(self, path: Path) -> str:
        """Writes one that leads here."""
        cluster = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{self._server.server_port}"}}
        context = {"name": "x", "context": {"cluster": "c", "user": "u"}}
        tree = {"clusters": [cluster], "contexts": [context], "users": [{"name": "u", "user": {}}]}
        path.write_text(json.dumps({"apiVersion": "v1", "kind": "Config", "current-context": "x", **tree}))
        return str(path)


_CORE = ("ServiceAccount", "ConfigMap", "Service")
_GROUPS: dict[str, tuple[str, ...]] = {
    "apps/v1": ("DaemonSet",),
    "batch/v1": ("Job",),
    "networking.k8s.io/v1": ("Ingress",),
    "rbac.authorization.k8s.io/v1": ("Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"),
}


def _group(version: str) -> dict[str, Any]:
    known = {"groupVersion": version, "version": "v1"}
    return {"name": version.partition("/")[0], "versions": [known], "preferredVersion": known}


def _kinds(version: str, kinds: tuple[str, ...]) -> dict[str, Any]:
    resources = [
        {
            "name": kind.lower() + ("es" if kind.endswith("s") else "s"),
            "kind": kind,
            "namespaced": not kind.startswith("Cluster"),
            "verbs": ["get", "list"],
        }
        for kind in kinds
    ]
    return {"kind": "APIResourceList", "groupVersion": version, "resources": resources}
