"""A lab with real packets in which several things happen: a second fault, a return, what Kubernetes says."""

from __future__ import annotations

import re

import pytest

from kubesonar.model import Health
from tests.apps.agents import until
from tests.lab.inside import needs_nft
from tests.scenarios.running_lab import RunningLab
from tests.scenarios.verdicts import named, settle, watch

pytestmark = [pytest.mark.lab, needs_nft, pytest.mark.usefixtures("healed")]

ONE_AFTER_THE_OTHER = [
    (("loss node-1>node-2 10", "pair", "node-1>node-2"), ("cut node-3", "node", "node-3")),
    (("mtu node-3>node-1 1300", "pair_mtu", "node-3>node-1"), ("podnet node-4", "pod_network", "node-4")),
]


@pytest.mark.parametrize("faults", ONE_AFTER_THE_OTHER)
def test_a_fault_alone_and_then_with_another(lab: RunningLab, faults: tuple[tuple[str, str, str], ...]) -> None:
    expected: set[tuple[str, str]] = set()
    for fault, part, subject in faults:
        lab.order(fault)
        expected.add((part, subject))
        settle(lab, frozenset(expected))


def test_a_draining_node_may_leave(lab: RunningLab) -> None:
    def excused() -> bool:
        return any("node-2" in state and "draining" in state for state in lab.verdict().states)

    lab.order("state node-2 draining")
    until(excused)
    lab.order("kill node-2")
    for verdict in watch(lab, 6.0):
        assert not verdict.findings, verdict.sentence
    assert verdict.verdict is Health.GOOD
    until(excused)


def test_a_cut_node_that_is_called_not_ready_goes_on_being_named(lab: RunningLab) -> None:
    lab.order("cut node-3")
    cut = frozenset({("node", "node-3")})
    settle(lab, cut)
    lab.order("state node-3 not_ready")
    settle(lab, cut)
    until(lambda: "NotReady" in lab.verdict().sentence)
    for verdict in watch(lab, 2.0):
        assert named(verdict) == cut, verdict.sentence
        assert verdict.sentence.startswith("node-3 is down or cut off since ")
        assert "; Kubernetes calls it NotReady" in verdict.sentence


def test_a_node_called_not_ready_whose_agents_answer_is_a_remark(lab: RunningLab) -> None:
    lab.order("state node-2 not_ready")
    for verdict in watch(lab, 6.0):
        assert not verdict.findings, verdict.sentence
    assert verdict.verdict is Health.GOOD
    remark = (
        r"Kubernetes calls node-2 NotReady since [\d:]+ \(said by the lab\), but its agents answer everybody: .*kubelet"
    )
    until(lambda: any(re.fullmatch(remark, said) for said in lab.verdict().unknown))
