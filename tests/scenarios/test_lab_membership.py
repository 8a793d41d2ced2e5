"""The coordinators of a lab tell, truly, when a member dies, and `kubesonar check` names what is sick: real processes,
real links."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from kubesonar.lab.servers.pager import PagedNotice
from kubesonar.model import Health, Network
from tests.apps.agents import until
from tests.lab.inside import in_namespaces, needs_nft
from tests.scenarios.running_lab import RunningLab, await_good
from tests.scenarios.verdicts import PROMISED, PROMISED_FROZEN, named, settle, watch

pytestmark = [pytest.mark.lab, needs_nft]

DEATHS = ("dead", "gone", "frozen")
POD, HOST = Network.POD, Network.HOST

NODES = {"node-1", "node-2", "node-3"}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    in_namespaces(lambda: None)  # skips where there are none
    with RunningLab(tmp_path_factory.mktemp("l"), len(NODES)) as running:
        await_good(running)
        yield running


@pytest.fixture
def led(lab: RunningLab) -> None:
    """Before each test everybody follows a coordinator."""
    until(lambda: leaders(lab))


def leaders(lab: RunningLab) -> dict[Network, str]:
    """The coordinator of each network, once it is one that all follow."""
    found = lab.coordinators()
    return found if len(found) == 2 and len(set(found.values())) == 1 and all(found.values()) else {}


def node_of(member: str) -> str:
    return member.rpartition("-")[0]


def deaths(told: list[PagedNotice]) -> list[tuple[str, str]]:
    return [(notice.what, notice.subject) for notice in told if notice.what in DEATHS]


def break_and_watch(lab: RunningLab, fault: str, node: str, what: str, part: str) -> list[PagedNotice]:
    """Breaks a node; what is told of it until it was told as `what` and the verdict has settled on this
    part of the node, which is longer than anything false takes to be told."""
    before = len(lab.told())
    lab.order(fault)
    settle(lab, frozenset({(part, node)}), PROMISED_FROZEN if what == "frozen" else PROMISED)
    until(lambda: (what, node) in deaths(lab.told()[before:]))
    return lab.told()[before:]


def assert_back(lab: RunningLab, node: str, before: int) -> None:
    lab.order("clear")
    try:
        until(lambda: (node, "back") in [(notice.subject, notice.what) for notice in lab.told()[before:]])
    except AssertionError:
        raise AssertionError(f"{node} is not told back: {lab.told()[before:]}") from None


@pytest.mark.usefixtures("healed", "led")
@pytest.mark.parametrize(
    ("verb", "what", "part"),
    [("kill", "gone", "agent_gone"), ("pause", "frozen", "agent_frozen"), ("cut", "dead", "node")],
)
def test_a_coordinators_death_is_told_for_what_it_is_once_and_of_nobody_else(
    lab: RunningLab, verb: str, what: str, part: str
) -> None:
    node = node_of(leaders(lab)[POD])
    before = len(lab.told())
    told = break_and_watch(lab, f"{verb} {node}", node, what, part)
    assert deaths(told) == [(what, node)]
    assert all(node_of(notice.coordinator) != node for notice in told if notice.what == what)
    if what == "frozen":
        assert_nobody_is_blamed_once_they_go_on(lab, node)
    assert_back(lab, node, before)


def assert_nobody_is_blamed_once_they_go_on(lab: RunningLab, node: str) -> None:
    """Lets the frozen agents of a node run again: the verdict forgets them, accuses nobody for what was lost meanwhile,
    and says that they were starved."""
    assert lab.verdict().sentence.startswith(f"the agents on {node} are frozen, its host answers")
    lab.order("clear")
    after = watch(lab, 8.0)
    blamed = [bool(verdict.findings) for verdict in after]
    story = "\n".join(f"{verdict.sentence} {sorted(named(verdict))} {verdict.unknown}" for verdict in after)
    assert blamed == sorted(blamed, reverse=True), f"blamed again after it had been forgotten:\n{story}"
    assert after[-1].verdict is Health.GOOD, after[-1].sentence
    starved = [remark for remark in after[-1].unknown if remark.startswith(f"local: {node}-")]
    assert starved, after[-1].unknown  # on a busy machine others may be named besides


@pytest.mark.usefixtures("healed", "led")
def test_a_member_that_hears_and_is_not_heard_is_told_and_tells_nothing(lab: RunningLab) -> None:
    node = node_of(leaders(lab)[POD])
    told = break_and_watch(lab, f"drop {node}>*", node, "dead", "node_out")
    assert {name for _, name in deaths(told)} == {node}
    assert all(node_of(notice.coordinator) != node for notice in told if notice.what in DEATHS)


@pytest.mark.usefixtures("healed", "led")
def test_a_receiver_that_was_away_is_told_afterwards(lab: RunningLab) -> None:
    lab.order("drop *>pager")
    before = len(lab.told())
    node = min(NODES - {node_of(leaders(lab)[POD])})
    lab.order(f"kill {node}")
    until(lambda: [finding for finding in lab.verdict().findings if finding.subject == node])
    time.sleep(3.0)
    assert deaths(lab.told()[before:]) == []
    lab.order("clear")
    until(lambda: {name for _, name in deaths(lab.told()[before:])} == {node})
    assert_back(lab, node, before)
    of_one = [notice.what for notice in lab.told()[before:] if notice.subject == node]
    assert of_one == ["gone", "back"], "in the order in which it happened"


@pytest.mark.usefixtures("healed", "led")
def test_a_rolling_restart_is_nobodys_death(lab: RunningLab) -> None:
    """Restarts all nodes' agents, one node after the other, as a rollout does."""
    before = len(lab.told())
    for node in sorted(NODES):
        lab.order(f"state {node} rolling")
        time.sleep(0.5)
        lab.order(f"kill {node}")
        time.sleep(2.5)  # longer than a death takes to be told
        lab.order("clear")
        until(lambda: len(leaders(lab)) == 2 and lab.verdict().observers == 2 * len(NODES))
    time.sleep(3.0)
    assert deaths(lab.told()[before:]) == []


@pytest.mark.long
def test_more_members_than_each_probes(tmp_path_factory: pytest.TempPathFactory) -> None:
    in_namespaces(lambda: None)
    with RunningLab(tmp_path_factory.mktemp("n"), 12) as lab:
        await_good(lab, 60.0)
        until(lambda: leaders(lab), 60.0)
        node = node_of(leaders(lab)[HOST])
        told = break_and_watch(lab, f"kill {node}", node, "gone", "agent_gone")
        assert deaths(told) == [("gone", node)]
