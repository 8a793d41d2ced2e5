"""Asks the API server which rights this process has (SelfSubjectAccessReview, which every authenticated user may)."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from kubesonar.core.encoding import encode_json
from kubesonar.doctor.direct import AskFailed
from kubesonar.doctor.rights import STREAM_VERBS, Rule
from kubesonar.kube.client import ApiError, Client

_PATH = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


class _Allowed(msgspec.Struct, frozen=True):
    allowed: bool = False


class _Review(msgspec.Struct, frozen=True):
    status: _Allowed = _Allowed()


async def require(client: Client, rules: Iterable[Rule]) -> None:
    """Raise AskFailed, with the rules that would grant it, where a right is missing."""
    try:
        missing = await missing_rules(client, rules)
    except ApiError as error:
        raise AskFailed(f"which rights there are cannot be asked of the API server: {error}") from None
    if missing:
        raise AskFailed(f"no right; {' and '.join(rule.line for rule in missing)} would grant it")


async def missing_rules(client: Client, rules: Iterable[Rule]) -> list[Rule]:
    """Return those of the rules that are not granted in full. Of the verbs of a stream one is enough: which one is
    asked for depends on the server's version. Raises ApiError."""
    missing = []
    for rule in rules:
        granted = [await _granted(client, rule, verb) for verb in rule.verbs]
        enough = any if rule.verbs == STREAM_VERBS else all
        if not enough(granted):
            missing.append(rule)
    return missing


async def _granted(client: Client, rule: Rule, verb: str) -> bool:
    resource, _, subresource = rule.resource.partition("/")
    attributes = {
        "namespace": rule.namespace,
        "verb": verb,
        "group": rule.group,
        "resource": resource,
        "subresource": subresource,
        "name": rule.names[0] if rule.names else "",
    }
    body = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    return (await client.send("POST", _PATH, encode_json(body), _Review)).status.allowed
