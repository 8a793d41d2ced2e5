"""What a request to the API server is: verb, resource, namespace and name, as RBAC sees it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import parse_qsl

from kubesonar.web import Request
from tests.kube.store import CLUSTER_SCOPED, GROUPS

_PATH = re.compile(
    r"/(?:api/v1|apis/(?P<group>[^/]+)/v1)"
    r"(?:/namespaces/(?P<namespace>[^/]+)(?=/))?/(?P<resource>[a-z]+)(?:/(?P<name>[^/]+)(?P<part>/[a-z]+)?)?"
)
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


class Asked(NamedTuple):
    """One request. `resource` is as RBAC writes it, "pods" or "pods/exec", and empty where the path is none of a
    resource ("/version")."""

    method: str
    path: str
    verb: str
    resource: str
    namespace: str
    name: str
    query: dict[str, str]
    token: str
    agent: str
    accept: str

    @property
    def group(self) -> str:
        """The API group of the resource."""
        return GROUPS[self.resource.partition("/")[0]][0]


def asked(request: Request) -> Asked:
    """Reads a request."""
    headers = {name.decode(): value.decode("latin-1") for name, value in request.headers}
    return asked_by(request.method, request.path, request.query_string.decode(), headers)


def asked_by(method: str, path: str, query_string: str, headers: Mapping[str, str]) -> Asked:
    """Reads a request; the names of `headers` are in lower case. A WebSocket is a GET request, for which RBAC wants
    "create" (from Kubernetes 1.35 on)."""
    query = dict(parse_qsl(query_string, keep_blank_values=True))
    resource, namespace, name = _parts(path)
    verb = _VERBS.get(method) or (
        "get" if name or not resource else "watch" if query.get("watch") == "true" else "list"
    )
    if "upgrade" in headers:
        verb = "create"
    token = headers.get("authorization", "").removeprefix("Bearer ")
    agent, accept = headers.get("user-agent", ""), headers.get("accept", "")
    return Asked(method, path, verb, resource, namespace, name, query, token, agent, accept)


def _parts(path: str) -> tuple[str, str, str]:
    found = _PATH.fullmatch(path)
    if found is None or found["resource"] not in GROUPS:
        return "", "", ""
    resource = found["resource"]
    if GROUPS[resource][0] != (found["group"] or "") or (resource in CLUSTER_SCOPED and found["namespace"]):
        return "", "", ""
    return resource + (found["part"] or ""), found["namespace"] or "", found["name"] or ""
