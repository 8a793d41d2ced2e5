"""Slow targets, where all that programs answer is slow, and where it is not."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from kubesonar.core.diagnosis.verdict import judge
from kubesonar.model import Check, Edge, Kind, Snapshot, Trial
from tests.core.mesh import START, Mesh

RUN, SLOW_FROM = 100.0, 30.0
ANSWERED_BY_PROGRAMS = (Kind.HTTP, Kind.DNS)


def parts(late: Callable[[Check, int], bool]) -> set[tuple[str, str]]:
    """What is found where checks have been late for 70 s: `late` is asked of each with its number."""
    snapshots, unread, now = Mesh(seed=5).run(RUN).snapshots(RUN)
    told = [_slowed(snapshot, late) for snapshot in snapshots]
    return {(finding.part, finding.subject) for finding in judge(told, unread, now, str).findings}


def _slowed(snapshot: Snapshot, late: Callable[[Check, int], bool], rtt: float | None = None) -> Snapshot:
    return msgspec.structs.replace(snapshot, edges=tuple(_late_edge(edge, late, rtt) for edge in snapshot.edges))


def _late_edge(edge: Edge, late: Callable[[Check, int], bool], rtt: float | None) -> Edge:
    check = edge.latest.check

    def slowed(number: int, trial: Trial) -> Trial:
        if trial.at <= START + SLOW_FROM or not late(check, number):
            return trial
        return msgspec.structs.replace(trial, slow=True, rtt=trial.rtt if rtt is None else rtt)

    trials = tuple(slowed(number, trial) for number, trial in enumerate(edge.trials))
    return msgspec.structs.replace(edge, trials=trials, usual=0.002)


@pytest.mark.parametrize("target", ["ingress", "api"])
def test_a_target_that_alone_is_slow_is_told(target: str) -> None:
    assert parts(lambda check, number: check.target == target and number % 5 > 0) == {("target_slow", target)}


@pytest.mark.parametrize("target", ["ingress", "api"])
def test_it_is_told_though_members_are_late_at_times(target: str) -> None:
    def late(check: Check, number: int) -> bool:
        mine = check.target == target
        return number % 5 > 0 if mine else check.kind is Kind.HTTP and number % 5 == 0

    assert parts(late) == {("target_slow", target)}


@pytest.mark.parametrize("worst", ["ingress", "api", "dns-1"])
def test_where_all_that_programs_answer_is_late_no_target_is_slow(worst: str) -> None:
    def late(check: Check, number: int) -> bool:
        return check.kind in ANSWERED_BY_PROGRAMS and number % 10 < (10 if check.target == worst else 7)

    assert parts(late) == set()


@pytest.mark.parametrize(
    ("rtt", "told"),
    [
        (0.00004, set()),
        (0.002, set()),
        (0.02, {("pair_slow", "node-1>ingress")}),
        (0.0, {("pair_slow", "node-1>ingress")}),
    ],
    ids=["quick", "less-quick", "slow", "not-known"],
)
def test_a_way_is_slow_where_the_kernel_s_clock_says_so(rtt: float, told: set[tuple[str, str]]) -> None:
    """One node's checks are answered late, as where a busy server meets them at the same time again and again."""
    snapshots, unread, now = Mesh(seed=5).run(RUN).snapshots(RUN)

    def late(node: str) -> Callable[[Check, int], bool]:
        return lambda check, _: node == "node-1" and check.target == "ingress"

    seen = [_slowed(snapshot, late(snapshot.member.node), rtt) for snapshot in snapshots]
    found = {(finding.part, finding.subject) for finding in judge(seen, unread, now, str).findings}
    assert found == told
