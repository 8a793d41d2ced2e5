"""Collections of the API to list and watch."""

from __future__ import annotations

import builtins
import re
from typing import Generic

import msgspec

from kubesonar.kube.object_meta import T

_NAMESPACED = re.compile(r"/namespaces/([^/]+)/([^/]+)\Z")
_OBJECT = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", re.ASCII)
_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)


class Resource(msgspec.Struct, Generic[T], frozen=True):
    """A collection such as "/api/v1/namespaces/x/pods", whose objects are decoded as `type`.

    Selectors narrow it in the API's own words: `labels` ("app=x,tier!=y"), `fields` ("spec.nodeName=n").
    """

    path: str
    type: builtins.type[T]
    labels: str = ""
    fields: str = ""

    @property
    def words(self) -> str:
        """The words for a person: "pods in namespace x"."""
        found = _NAMESPACED.search(self.path)
        return f"{found[2]} in namespace {found[1]}" if found else self.path.rpartition("/")[2]


def pods(namespace: str = "") -> str:
    """Return the path of a namespace's pods; without a namespace, of all.

    This function and the ones below raise ValueError for a bad name.
    """
    return _path("/api/v1", namespace, "pods")


def services(namespace: str = "") -> str:
    """Return the path of a namespace's services; without a namespace, of all."""
    return _path("/api/v1", namespace, "services")


def endpoints(namespace: str = "") -> str:
    """Return the path of a namespace's v1 Endpoints; without a namespace, of all."""
    return _path("/api/v1", namespace, "endpoints")


def endpoint_slices(namespace: str = "") -> str:
    """Return the path of a namespace's EndpointSlices; without a namespace, of all."""
    return _path("/apis/discovery.k8s.io/v1", namespace, "endpointslices")


def leases(namespace: str) -> str:
    """Return the path of a namespace's leases."""
    return _path("/apis/coordination.k8s.io/v1", namespace, "leases")


NODES = "/api/v1/nodes"


def is_namespace(name: str) -> bool:
    """Return whether this can be a namespace's name (RFC 1123 label)."""
    return _NAMESPACE.fullmatch(name) is not None


def _path(group: str, namespace: str, plural: str) -> str:
    if namespace and not is_namespace(namespace):
        raise ValueError(f"a namespace is lower case letters, digits and hyphens, 63 at most, not {namespace[:80]!r}")
    return f"{group}/namespaces/{namespace}/{plural}" if namespace else f"{group}/{plural}"


def is_object_name(name: str) -> bool:
    """Return whether this may be the name of an object (RFC 1123 subdomain)."""
    return _OBJECT.fullmatch(name) is not None
