"""The kinds of custom resources that records are kept in, and their definitions."""

from __future__ import annotations

from typing import Any

import msgspec

from kubesonar.core.encoding import encode_json
from kubesonar.kube.client import ApiError, Client

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


class CustomKind(msgspec.Struct, frozen=True):
    """A kind of custom resource in version v1 of its `group`, in a namespace. Of one that is `shared` by several kinds
    of records an object's name begins with that kind."""

    group: str
    plural: str
    kind: str
    shared: bool = False

    def path(self, namespace: str) -> str:
        """Return the path of the namespace's objects."""
        return f"/apis/{self.group}/v1/namespaces/{namespace}/{self.plural}"

    def object_name(self, kind: str, name: str) -> str:
        """Return the name of the object that holds a record."""
        return f"{kind}.{name}" if self.shared else name

    def definition(self) -> dict[str, Any]:
        """Return the CustomResourceDefinition, whose objects may hold anything in `spec`."""
        spec = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        schema = {"openAPIV3Schema": {"type": "object", "properties": {"spec": spec}}}
        return {
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": f"{self.plural}.{self.group}"},
            "spec": {
                "group": self.group,
                "scope": "Namespaced",
                "names": {
                    "plural": self.plural,
                    "singular": self.kind.lower(),
                    "kind": self.kind,
                    "listKind": f"{self.kind}List",
                },
                "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
            },
        }


RECORDS = CustomKind("kubesonar.io", "records", "Record", shared=True)
"""The custom resource that holds records of every kind without one of its own."""


async def define(client: Client, kind: CustomKind) -> None:
    """Create the definition; one that is there stays as it is. Raises ApiError."""
    try:
        await client.send("POST", DEFINITIONS, encode_json(kind.definition()), msgspec.Raw)
    except ApiError as error:
        if error.status != 409:
            raise
