"""What RBAC objects allow."""

from __future__ import annotations

from tests.deploy.rendering import Tree
from tests.kube.requests import Asked

Right = tuple[str, str, str, str]
"""Namespace (empty: the cluster), resource, name ("*": any) and verbs with spaces between."""


def rights(trees: tuple[Tree, ...], account: str) -> set[Right]:
    """What an account is bound to."""
    found = set()
    roles = {(t["kind"], t["metadata"].get("namespace", ""), t["metadata"]["name"]): t for t in trees}
    for binding in (t for t in trees if t["kind"] in ("RoleBinding", "ClusterRoleBinding")):
        if account in {subject["name"] for subject in binding["subjects"]}:
            namespace = binding["metadata"].get("namespace", "")
            for rule in roles[binding["roleRef"]["kind"], namespace, binding["roleRef"]["name"]]["rules"]:
                for resource in rule["resources"]:
                    for name in rule.get("resourceNames", ["*"]):
                        found.add((namespace, resource, name, " ".join(rule["verbs"])))
    return found


def used(asked: Asked, granted: set[Right]) -> Right | None:
    """The right that allows a request. A list or watch of one name is one for that name
    (https://kubernetes.io/docs/reference/access-authn-authz/rbac/#referring-to-resources)."""
    field = asked.query.get("fieldSelector", "")
    name = asked.name or field.removeprefix("metadata.name=")
    for right in granted:
        namespace, resource, only, verbs = right
        if (
            namespace in ("", asked.namespace)
            and resource == asked.resource
            and only in ("*", name)
            and asked.verb in verbs.split()
        ):
            return right
    return None
