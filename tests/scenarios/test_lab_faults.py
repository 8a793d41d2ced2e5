"""One lab with real packets, broken in every way that it knows: each fault is named rightly, and forgotten when it is
gone."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from kubesonar.model import Health, Verdict
from tests.lab.inside import in_namespaces, needs_nft
from tests.scenarios.running_lab import RunningLab, await_good

pytestmark = [pytest.mark.lab, needs_nft]

PROMISED = 15.0
"""Seconds in which a fault is named."""
STAYS = 3.0
"""Seconds for which a verdict must not change to count as settled."""
PAUSE = 0.25
FLEETING = 1.0
"""Seconds in all for which somebody innocent may be named while a fault is new: trials of its first seconds are few."""

Named = frozenset[tuple[str, str]]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    in_namespaces(lambda: None)  # skips where there are none
    with RunningLab(tmp_path_factory.mktemp("l")) as running:
        await_good(running)
        yield running


@pytest.fixture(autouse=True)
def good_again(lab: RunningLab) -> Iterator[None]:
    yield
    lab.order("clear")
    await_good(lab)


def named(verdict: Verdict) -> Named:
    return frozenset((finding.part, finding.subject) for finding in verdict.findings)


def settle(lab: RunningLab, expected: Named) -> Verdict:
    """The first verdict that names just these and then stays so. On the way fewer may be named, or another part of the
    same subject (a node's way out before its way in), but nobody innocent for longer than `FLEETING`."""
    start = time.monotonic()
    since: float | None = None
    wrong = 0.0
    subjects = {subject for _, subject in expected}
    story: list[str] = []
    while True:
        verdict, now = lab.verdict(), time.monotonic()
        story.append(f"{now - start:.1f} s: {verdict.sentence} {sorted(named(verdict))}")
        wrong += PAUSE * any(subject not in subjects for _, subject in named(verdict))
        assert wrong <= FLEETING, "\n".join(story)
        if named(verdict) != expected:
            since = None
        elif since is None:
            since = now
        elif now - since >= STAYS:
            return verdict
        if since is None and now - start > PROMISED:
            raise AssertionError("\n".join((f"not named within {PROMISED:.0f} s", *story)))
        time.sleep(PAUSE)


def watch(lab: RunningLab, seconds: float) -> list[Verdict]:
    """All verdicts for a while."""
    until = time.monotonic() + seconds
    seen = []
    while time.monotonic() < until:
        seen.append(lab.verdict())
        time.sleep(PAUSE)
    return seen


ALONE = [
    ("cut node-3", "node", "node-3"),
    ("drop node-1>node-4", "pair", "node-1>node-4"),
    ("udp node-4>node-1", "pair_udp", "node-4>node-1"),
    ("port node-1>node-2 tcp/7473", "pair_port", "node-1>node-2 tcp/7473"),
    ("podnet node-4", "pod_network", "node-4"),
    ("rate node-2 2000", "link_rate", "node-2"),
    ("kill node-5", "agent_gone", "node-5"),
    ("dns dns-1 udp", "dns_udp", "dns-1"),
]

ONE_AFTER_THE_OTHER = [
    (("loss node-1>node-2 10", "pair", "node-1>node-2"), ("cut node-3", "node", "node-3")),
    (("mtu node-3>node-5 1300", "pair_mtu", "node-3>node-5"), ("podnet node-4", "pod_network", "node-4")),
]


@pytest.mark.parametrize(("fault", "part", "subject"), ALONE)
def test_a_fault_alone(lab: RunningLab, fault: str, part: str, subject: str) -> None:
    lab.order(fault)
    settle(lab, frozenset({(part, subject)}))


@pytest.mark.parametrize("faults", ONE_AFTER_THE_OTHER)
def test_a_fault_alone_and_then_with_another(lab: RunningLab, faults: tuple[tuple[str, str, str], ...]) -> None:
    expected: set[tuple[str, str]] = set()
    for fault, part, subject in faults:
        lab.order(fault)
        expected.add((part, subject))
        settle(lab, frozenset(expected))


def test_frozen_agents_are_told_from_a_dead_node_and_blame_nobody_once_they_go_on(lab: RunningLab) -> None:
    lab.order("pause node-3")
    verdict = settle(lab, frozenset({("agent_frozen", "node-3")}))
    assert verdict.sentence.startswith("the agents on node-3 are frozen, its host answers")
    lab.order("resume node-3")
    after = watch(lab, 8.0)
    blamed = [bool(verdict.findings) for verdict in after]
    assert blamed == sorted(blamed, reverse=True), "blamed again after it had been forgotten"
    assert after[-1].verdict is Health.GOOD, after[-1].sentence
    assert after[-1].unknown and all(remark.startswith("local: node-3-") for remark in after[-1].unknown)


def test_a_draining_node_may_leave(lab: RunningLab) -> None:
    lab.order("state node-2 draining")
    lab.order("kill node-2")
    for verdict in watch(lab, 10.0):
        assert not verdict.findings, verdict.sentence
    assert verdict.verdict is Health.GOOD
    assert any("node-2" in state and "draining" in state for state in verdict.states)


def test_a_cut_node_that_is_called_not_ready_goes_on_being_named(lab: RunningLab) -> None:
    lab.order("cut node-3")
    cut = frozenset({("node", "node-3")})
    settle(lab, cut)
    lab.order("state node-3 not_ready")
    settle(lab, cut)
    for verdict in watch(lab, 5.0):
        assert named(verdict) == cut, verdict.sentence
        assert verdict.sentence.startswith("node-3 is down or cut off since ")
        assert "; Kubernetes calls it NotReady" in verdict.sentence


def test_a_node_called_not_ready_whose_agents_answer_is_a_remark(lab: RunningLab) -> None:
    lab.order("state node-2 not_ready")
    for verdict in watch(lab, 6.0):
        assert not verdict.findings, verdict.sentence
    assert verdict.verdict is Health.GOOD
    remark = "Kubernetes calls node-2 NotReady (said by the lab), but its agents answer everybody: look at its kubelet"
    assert remark in verdict.unknown
