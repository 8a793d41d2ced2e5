"""Being NotReady is no excuse, unless it was announced."""

from __future__ import annotations

from typing import Any

import pytest

from kubesonar.discovery.pods.history import History
from kubesonar.model import Member, State
from tests.discovery.objects import CREATED, START, Tree, node, node_tree, pod
from tests.discovery.placed import only, placed

CUT = "2026-11-21T08:25:38Z"
"""When Kubernetes calls the node NotReady, half an hour after it was created."""

CUT_AT = START + 25 * 60 + 38
AFTER = CUT_AT + 60
BEFORE_CUT, AFTER_CUT = "2026-11-21T08:20:00Z", "2026-11-21T08:26:10Z"
SILENT = {"status": "Unknown", "reason": "NodeStatusUnknown", "message": "Kubelet stopped posting node status."}
CNI = (
    "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady message: cni not initialized"
)
SHUTTING_DOWN = {"status": "False", "reason": "KubeletNotReady", "message": f"[{CNI}, node is shutting down]"}


def unready(ready: Tree = SILENT, since: str = CUT, others: tuple[Tree, ...] = (), **changes: Any) -> Tree:
    """A node whose condition Ready is that."""
    rows = [{"type": "Ready", "lastTransitionTime": since, **ready}, *others]
    return node_tree(status={"conditions": rows}, **changes)


def cut_pod(**changes: Any) -> Any:
    """A pod of a node that was cut, as samples of a real API server have it: only Ready has changed."""
    rows = [
        {"type": "Initialized", "status": "True", "lastTransitionTime": CREATED},
        {"type": "Ready", "status": "False", "lastTransitionTime": CUT},
        {"type": "ContainersReady", "status": "True", "lastTransitionTime": CREATED},
    ]
    return pod(status={"conditions": rows}, **changes)


def member(tree: Tree, now: float = AFTER, **of_pod: Any) -> Member:
    return only(cut_pod(**of_pod), nodes=(node(tree=tree),), now=now)


def test_a_node_whose_kubelet_is_silent_is_expected_to_answer() -> None:
    found = member(unready())
    assert (found.state, found.reason, found.since) == (State.NOT_READY, "", CUT_AT)
    assert found.expected


@pytest.mark.parametrize(
    ("ready", "others", "reason"),
    [
        ({"status": "False", "reason": "KubeletNotReady", "message": CNI}, (), CNI),
        ({"status": "False", "reason": "KubeletNotReady"}, (), "KubeletNotReady"),
        (
            {"status": "False", "reason": "KubeletNotReady", "message": "PLEG is not healthy"},
            ({"type": "DiskPressure", "status": "True"}, {"type": "MemoryPressure", "status": "False"}),
            "PLEG is not healthy; DiskPressure",
        ),
        ({"status": "Unknown", "reason": "Odd", "message": "line\nbreak"}, (), "line break"),
        ({"status": "False", "message": "x" * 40_000}, (), "x" * 199 + "…"),
    ],
)
def test_a_node_that_says_why_it_is_not_ready_is_expected_and_its_reason_is_told(
    ready: Tree, others: tuple[Tree, ...], reason: str
) -> None:
    found = member(unready(ready, others=others))
    assert (found.state, found.reason) == (State.NOT_READY, reason)
    assert found.expected


def taint(key: str, added: str | None = None) -> Tree:
    return {"spec": {"taints": [{"key": key, "effect": "NoSchedule", **({"timeAdded": added} if added else {})}]}}


CORDONED = "node.kubernetes.io/unschedulable"


@pytest.mark.parametrize(
    ("tree", "state"),
    [
        (unready(**taint(CORDONED, BEFORE_CUT)), State.CORDONED),
        (unready(spec={"unschedulable": True}), State.CORDONED),
        (unready(**taint("ToBeDeletedByClusterAutoscaler")), State.DRAINING),
        (unready(**taint("node.cloudprovider.kubernetes.io/shutdown", AFTER_CUT)), State.DRAINING),
        (unready(**taint("node.kubernetes.io/out-of-service", AFTER_CUT)), State.DRAINING),
        (unready(meta={"deletionTimestamp": AFTER_CUT}), State.DRAINING),
        (unready(SHUTTING_DOWN), State.DRAINING),
        (unready(**taint("node.kubernetes.io/unreachable", CUT)), State.NOT_READY),
        (unready(**taint("node.kubernetes.io/not-ready", CUT)), State.NOT_READY),
        (unready(**taint(CORDONED, AFTER_CUT)), State.NOT_READY),
    ],
)
def test_only_what_was_announced_before_the_silence_excuses_it(tree: Tree, state: State) -> None:
    assert member(tree).state is state


@pytest.mark.parametrize(
    ("deletion", "now", "state"),
    [
        ({"deletionTimestamp": "2026-11-21T08:25:50Z", "deletionGracePeriodSeconds": 30}, AFTER, State.ROLLING),
        ({"deletionTimestamp": "2026-11-21T08:25:50Z", "deletionGracePeriodSeconds": 30}, AFTER + 600, State.NOT_READY),
        ({"deletionTimestamp": "2026-11-21T08:31:00Z", "deletionGracePeriodSeconds": 30}, AFTER, State.NOT_READY),
        ({"deletionTimestamp": "2026-11-21T08:31:00Z"}, AFTER + 400, State.NOT_READY),
    ],
)
def test_a_deletion_excuses_a_pod_on_an_unready_node_only_where_it_began_before(
    deletion: Tree, now: float, state: State
) -> None:
    assert member(unready(), now, meta=deletion).state is state


def test_a_node_that_shut_down_in_order_stays_excused_when_its_kubelet_falls_silent() -> None:
    history = History()

    def state(tree: Tree) -> State:
        return only(cut_pod(), nodes=(node(tree=tree),), now=AFTER, history=history).state

    assert state(unready(SHUTTING_DOWN)) is State.DRAINING
    assert state(unready()) is State.DRAINING
    assert state(node_tree()) is State.SERVING
    assert state(unready()) is State.NOT_READY


def test_a_cordon_after_the_silence_was_seen_excuses_nobody_also_where_the_api_tells_no_time() -> None:
    history = History()

    def state(tree: Tree) -> State:
        return only(cut_pod(), nodes=(node(tree=tree),), now=AFTER, history=history).state

    assert state(unready()) is State.NOT_READY
    assert state(unready(spec={"unschedulable": True})) is State.NOT_READY
    assert state(node_tree(spec={"unschedulable": True})) is State.CORDONED
    assert state(unready(spec={"unschedulable": True})) is State.CORDONED


def test_pods_of_a_node_that_is_ready_again_are_not_starting() -> None:
    back = node(status={"conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": AFTER_CUT}]})
    assert only(cut_pod(), nodes=(back,), now=AFTER).state is State.SERVING


def test_a_pod_created_on_a_node_that_is_not_ready_any_more_is_not_starting() -> None:
    young = pod(ready=False, meta={"creationTimestamp": AFTER_CUT})
    assert only(young, nodes=(node(tree=unready()),), now=AFTER).state is State.NOT_READY


@pytest.mark.parametrize(
    "ready", [{"status": "False", "message": CNI}, {"status": "Unknown", "reason": "NodeStatusNeverUpdated"}]
)
def test_a_new_node_may_take_its_time_to_become_ready_but_not_for_ever(ready: Tree) -> None:
    new = node(tree=unready(ready, since=CREATED))
    assert only(pod(ready=False), nodes=(new,), now=START + 30).state is State.STARTING
    assert only(pod(ready=False), nodes=(new,), now=START + 301).state is State.NOT_READY


VIRTUAL = [
    {"meta": {"labels": {"type": "virtual-kubelet"}}},
    {"meta": {"labels": {"eks.amazonaws.com/compute-type": "fargate"}}},
    taint("virtual-kubelet.io/provider"),
]


@pytest.mark.parametrize("changes", VIRTUAL)
def test_a_pod_that_waits_on_a_node_without_a_kubelet_is_no_member_that_must_answer(changes: Tree) -> None:
    waiting = pod(ips=(), ready=False, status={"phase": "Pending", "reason": "ProviderFailed", "conditions": []})
    found = only(waiting, nodes=(node(**changes),), now=START + 5)
    assert (found.state, found.reason) == (State.UNSUPPORTED, "node n1 can run no agent: ProviderFailed")
    assert only(pod(), nodes=(node(**changes),)).state is State.SERVING


def test_a_pod_of_which_no_kubelet_takes_notice_is_on_a_node_that_can_run_no_agent() -> None:
    def waiting(**status: str) -> Any:
        return pod(ips=(), status={"phase": "Pending", "hostIP": "", "conditions": []} | status)

    assert [m.state for m in placed(waiting(), now=START + 5).members] == [State.STARTING]
    assert only(waiting()).state is State.UNSUPPORTED
    assert only(waiting(hostIP="192.0.2.1")).state is State.SERVING
    assert only(waiting(startTime=CREATED)).state is State.SERVING
    assert only(waiting(), nodes=(node(tree=unready()),)).state is State.NOT_READY
