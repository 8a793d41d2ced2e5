"""Who has started once is not starting."""

from __future__ import annotations

from typing import Any

import pytest

from kubesonar.discovery.pods.history import History
from kubesonar.kube.types import Pod
from kubesonar.model import State
from tests.discovery.objects import CREATED, START, pod
from tests.discovery.placed import only

YOUNG = START + 60
LATER_ON = "2026-11-21T08:00:40Z"


def unready(at: str = CREATED, containers: str = "False", **status: Any) -> Pod:
    rows = [
        {"type": "Initialized", "status": "True", "lastTransitionTime": CREATED},
        {"type": "Ready", "status": "False", "reason": "ContainersNotReady", "lastTransitionTime": at},
        {"type": "ContainersReady", "status": containers, "lastTransitionTime": at},
    ]
    return pod(status={"conditions": rows, **status})


def test_a_young_pod_that_was_ready_in_an_earlier_list_is_not_starting() -> None:
    history = History()
    assert only(unready(), now=YOUNG, history=history).state is State.STARTING
    assert only(pod(), now=YOUNG, history=history).state is State.SERVING
    assert only(unready(), now=YOUNG, history=history).state is State.SERVING


def test_a_successor_of_the_same_name_may_start() -> None:
    history = History()
    assert only(pod(), now=YOUNG, history=history).state is State.SERVING
    again = pod(ready=False, meta={"creationTimestamp": LATER_ON})
    assert only(again, now=YOUNG, history=history).state is State.STARTING


def crashing(restarts: int, reason: str = "") -> dict[str, Any]:
    state = {"waiting": {"reason": reason}} if reason else {"running": {"startedAt": CREATED}}
    return {"containerStatuses": [{"name": "agent", "restartCount": restarts, "state": state}]}


@pytest.mark.parametrize(
    ("seen", "state"),
    [
        (unready(), State.STARTING),
        (unready(**crashing(0, "ContainerCreating")), State.STARTING),
        (unready(**crashing(1)), State.STARTING),
        (unready(LATER_ON), State.SERVING),
        (unready(containers="True"), State.SERVING),
        (unready(**crashing(1, "CrashLoopBackOff")), State.SERVING),
        (unready(**crashing(2)), State.SERVING),
    ],
)
def test_the_api_tells_also_an_agent_that_did_not_see_it_whether_a_pod_has_started(seen: Pod, state: State) -> None:
    assert only(seen, now=YOUNG).state is state


def test_a_crash_loop_is_told_with_its_reason() -> None:
    assert (
        only(unready(**crashing(3, "CrashLoopBackOff")), now=YOUNG).reason == "its pod is not ready: CrashLoopBackOff"
    )
