"""The lab's Leases are as those of an API server, to the candidates that hold them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kubesonar.lab.servers.api_leases import LabLeases
from kubesonar.web import Request

PATH = "/apis/coordination.k8s.io/v1/namespaces/default/leases"


def asked(leases: LabLeases, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    reply = leases.reply(Request(method=method, path=path, body=json.dumps(body).encode()))
    assert isinstance(reply.body, bytes)
    return reply.status, json.loads(reply.body)


def test_one_is_made_read_and_changed_by_whoever_knows_its_version() -> None:
    leases = LabLeases()
    assert leases.has(PATH)
    assert leases.has(f"{PATH}/collector")
    assert not leases.has("/api/v1/nodes")
    assert asked(leases, "GET", f"{PATH}/collector")[0] == 404
    new = {"metadata": {"name": "collector"}, "spec": {"holderIdentity": "a", "leaseTransitions": 0}}
    _, made = asked(leases, "POST", PATH, new)
    assert asked(leases, "POST", PATH, new)[0] == 409
    version = made["metadata"]["resourceVersion"]
    change = {"metadata": {"resourceVersion": version}, "spec": {"holderIdentity": "b"}}
    status, changed = asked(leases, "PATCH", f"{PATH}/collector", change)
    assert (status, changed["spec"]) == (200, {"holderIdentity": "b", "leaseTransitions": 0})
    assert asked(leases, "PATCH", f"{PATH}/collector", change)[0] == 409
    assert asked(leases, "GET", f"{PATH}/collector")[1] == changed


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("PATCH", f"{PATH}/x", {"metadata": {}, "spec": {}}, 404),
        ("POST", PATH, {"metadata": {}, "spec": {}}, 422),
        ("POST", PATH, [], 400),
        ("POST", PATH, {"metadata": 1, "spec": {}}, 400),
        ("DELETE", f"{PATH}/x", {"metadata": {}, "spec": {}}, 405),
    ],
)
def test_what_candidates_do_not_do_is_refused(method: str, path: str, body: Any, status: int) -> None:
    assert asked(LabLeases(), method, path, body)[0] == status
