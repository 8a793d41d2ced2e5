"""Native agents that tell receivers of the older tool's webhooks."""

import json
from collections.abc import Mapping

import pytest

from kubesonar.compat.formats import FORMATS, formats
from kubesonar.model import Condition, Member, Network, Notice, Roster, State

MEMBERS = (
    Member("node-1-pod", "node-1", ("10.0.1.2", "fd00::2"), 7473),
    Member("node-2-pod", "node-2", ("10.0.2.2",), 7473),
    Member("node-3-pod", "node-3", ("10.0.3.2",), 7473, state=State.NOT_READY),
    Member("node-4-pod", "node-4", ("10.0.4.2",), 7473, state=State.DRAINING),
    Member("node-4-host", "node-4", ("192.0.2.4",), 7474, Network.HOST, state=State.DRAINING),
)


def view() -> tuple[Roster, Mapping[str, Condition]]:
    return Roster("1", MEMBERS), {"node-3-pod": Condition.FROZEN}


def told(name: str, what: Condition, subject: str = "node-2-pod", coordinator: str = "node-1-pod") -> object:
    notice = Notice("0" * 32, what, subject, 0.0, "…", coordinator=coordinator)
    body = formats(view)[name](notice)
    return None if body is None else json.loads(body)


@pytest.mark.parametrize("what", [Condition.DEAD, Condition.GONE, Condition.FROZEN])
@pytest.mark.parametrize("name", ["knh-peer", "knh-peer-return"])
def test_who_does_not_answer_is_not_alive(name: str, what: Condition) -> None:
    assert told(name, what) == {
        "peer": {"id": "node-2@10022", "address": "10.0.2.2:7473", "alive": False, "node_name": "node-2"},
        "coordinator": "node-1@10012",
        "coordinator_address": "10.0.1.2:7473",
    }


def test_returns_are_told_where_asked_for() -> None:
    back = told("knh-peer-return", Condition.BACK)
    assert isinstance(back, dict)
    assert back["peer"]["alive"]
    assert told("knh-peer", Condition.BACK) is None
    assert told("knh-peer-return", Condition.BACK, "node-1-pod") is None


def test_the_cluster_after_an_election() -> None:
    status = told("knh-cluster", Condition.CLUSTER, "node-1-pod")
    assert isinstance(status, dict)
    assert [(state["node_name"], state["alive"]) for state in status["peer_map"]] == [
        ("node-2", True),
        ("node-3", False),
    ]


def test_what_was_never_told_is_not_told() -> None:
    for what in (Condition.SUSPECT, Condition.MINORITY, Condition.CLUSTER):
        assert told("knh-peer", what) is None
    assert told("knh-cluster", Condition.DEAD) is None
    assert told("knh-peer", Condition.DEAD, "unknown") is None
    assert told("knh-cluster", Condition.CLUSTER, coordinator="unknown") is None
    assert set(FORMATS) == set(formats(view))


def test_of_a_node_its_pod_is_told() -> None:
    both = ("node-4-host", "node-4-pod")
    notice = Notice("0" * 32, Condition.DEAD, "node-4", 0.0, "…", coordinator="node-1-pod", members=both)
    body = formats(view)["knh-peer"](notice)
    assert body is not None and json.loads(body)["peer"]["address"] == "10.0.4.2:7473"
