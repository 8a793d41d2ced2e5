"""What a request to the API server is: verb, resource, namespace and name, as RBAC sees it."""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import parse_qsl

from kubesonar.web import Request
from tests.kube.store import CLUSTER_SCOPED, GROUPS

_PATH = re.compile(
    r"/(?:api/v1|apis/(?P<group>[^/]+)/v1)"
    r"(?:/namespaces/(?P<namespace>[^/]+)(?=/))?/(?P<resource>[a-z]+)(?:/(?P<name>[^/]+))?"
)
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


class Asked(NamedTuple):
    """One request. `resource` is empty where the path is none of a resource ("/version")."""

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
        return GROUPS[self.resource][0]


def asked(request: Request) -> Asked:
    """Reads a request."""
    headers = {name.decode(): value.decode("latin-1") for name, value in request.headers}
    query = dict(parse_qsl(request.query_string.decode(), keep_blank_values=True))
    resource, namespace, name = _parts(request.path)
    method = request.method
    verb = _VERBS.get(method) or (
        "get" if name or not resource else "watch" if query.get("watch") == "true" else "list"
    )
    token = headers.get("authorization", "").removeprefix("Bearer ")
    agent, accept = headers.get("user-agent", ""), headers.get("accept", "")
    return Asked(method, request.path, verb, resource, namespace, name, query, token, agent, accept)


def _parts(path: str) -> tuple[str, str, str]:
    found = _PATH.fullmatch(path)
    if found is None or found["resource"] not in GROUPS:
        return "", "", ""
    resource = found["resource"]
    if GROUPS[resource][0] != (found["group"] or "") or (resource in CLUSTER_SCOPED and found["namespace"]):
        return "", "", ""
    return resource, found["namespace"] or "", found["name"] or ""
