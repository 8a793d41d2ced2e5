"""States of members, with their reasons."""

from __future__ import annotations

from typing import Any

import pytest

from kubesonar.discovery.pods.node_state import LEAVING
from kubesonar.model import Member, State
from tests.discovery.objects import START, node, pod
from tests.discovery.placed import DELETED, STARTING, only, placed


@pytest.mark.parametrize(
    ("of_pod", "of_node", "state", "reason"),
    [
        ({}, {}, State.SERVING, ""),
        ({}, {"spec": {"unschedulable": True}}, State.CORDONED, "node n1 is cordoned"),
        (
            {},
            {"spec": {"taints": [{"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}]}},
            State.CORDONED,
            "node n1 is cordoned",
        ),
        ({"meta": DELETED}, {"spec": {"unschedulable": True}}, State.DRAINING, "node n1 is being drained"),
        (
            {"status": {"conditions": [{"type": "DisruptionTarget", "status": "True"}]}},
            {"spec": {"unschedulable": True}},
            State.DRAINING,
            "node n1 is being drained",
        ),
        ({}, {"meta": DELETED}, State.DRAINING, "node n1 is being drained: it is being deleted"),
        ({}, {"status": {"conditions": []}}, State.NOT_READY, "no condition Ready"),
        ({}, {"name": "another"}, State.DELETED, "node n1 is gone"),
        ({"meta": DELETED}, {"name": "another"}, State.DELETED, "node n1 is gone"),
        ({"meta": DELETED}, {}, State.ROLLING, "its DaemonSet replaces it"),
        ({"meta": DELETED | {"ownerReferences": []}}, {}, State.DELETED, "its pod is being deleted"),
        ({"ready": False}, {}, State.SERVING, "its pod is not ready: ContainersNotReady"),
        ({"ready": False, "status": {"phase": "Pending", "conditions": []}}, {}, State.SERVING, "not ready: Pending"),
    ],
)
def test_states_and_their_reasons(of_pod: dict[str, Any], of_node: dict[str, Any], state: State, reason: str) -> None:
    member = only(pod(**of_pod), nodes=(node(**of_node),))
    assert member.state is state
    assert reason in member.reason
    assert bool(member.reason) == bool(reason)


@pytest.mark.parametrize("key", sorted(LEAVING))
def test_taints_of_nodes_that_are_about_to_go(key: str) -> None:
    member = only(pod(), nodes=(node(spec={"taints": [{"key": key, "effect": "NoSchedule"}]}),))
    assert (member.state, member.reason) == (State.DRAINING, f"node n1 is being drained: taint {key}")


def test_a_pod_may_take_its_time_to_start_but_not_for_ever() -> None:
    unready = pod(ready=False)
    found = placed(unready, now=START + 299)
    assert [(m.state, m.reason) for m in found.members] == [
        (State.STARTING, "its pod has not been ready yet: ContainersNotReady")
    ]
    assert found.due == START + STARTING
    assert only(unready, now=START + 301).expected
    assert placed(unready, now=START + 301).due is None


def test_a_young_pod_on_a_node_not_seen_yet_is_starting_and_not_on_a_deleted_node() -> None:
    assert only(pod(node="new", ready=False), now=START + 5).state is State.STARTING


def test_without_the_right_to_read_nodes_pods_have_states_of_their_own_and_no_zone() -> None:
    assert only(pod(), nodes=None) == Member("a", "n1", ("10.0.0.1",), 7473)
    assert only(pod(meta=DELETED), nodes=None).state is State.ROLLING


def test_times_that_are_none_start_nothing() -> None:
    assert only(pod(ready=False, meta={"creationTimestamp": "soon"})).expected
    assert only(pod(ready=False, meta={"creationTimestamp": None})).expected
