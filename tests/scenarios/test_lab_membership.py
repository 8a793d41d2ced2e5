"""The coordinators of a lab tell, truly, when a member dies: real processes, real links."""

from __future__ import annotations

import time

import pytest

from kubesonar.lab.servers.pager import PagedNotice
from kubesonar.model import Network
from tests.apps.agents import until
from tests.lab.inside import in_namespaces, needs_nft
from tests.scenarios.running_lab import RunningLab, await_good

pytestmark = [pytest.mark.lab, needs_nft]

DEATHS = ("dead", "gone", "frozen")
POD, HOST = Network.POD, Network.HOST


@pytest.fixture
def led(lab: RunningLab) -> None:
    """Before each test everybody follows a coordinator."""
    until(lambda: leaders(lab))


def leaders(lab: RunningLab) -> dict[Network, str]:
    """The coordinators, once both networks have one that all follow."""
    found = lab.coordinators()
    return found if all(found.values()) and len(found) == 2 else {}


def of(node: str) -> set[str]:
    return {f"{node}-pod", f"{node}-host"}


def node_of(member: str) -> str:
    return member.rpartition("-")[0]


def deaths(told: list[PagedNotice]) -> list[tuple[str, str]]:
    return [(notice.what, notice.member) for notice in told if notice.what in DEATHS]


def break_and_watch(lab: RunningLab, fault: str, node: str, what: str) -> list[PagedNotice]:
    """Breaks a node; what is told of it until both its members were told as `what`, and a while longer."""
    before = len(lab.told())
    lab.order(fault)
    until(lambda: {name for kind, name in deaths(lab.told()[before:]) if kind == what} >= of(node))
    time.sleep(2.0)  # anything false would come now
    return lab.told()[before:]


def assert_back(lab: RunningLab, node: str, before: int) -> None:
    lab.order("clear")
    until(lambda: {notice.member for notice in lab.told()[before:] if notice.what == "back"} >= of(node))


@pytest.mark.usefixtures("healed", "led")
@pytest.mark.parametrize(
    ("verb", "what", "office"),
    [("kill", "gone", False), ("kill", "gone", True), ("pause", "frozen", True), ("cut", "dead", True)],
)
def test_a_death_is_told_for_what_it_is_once_and_of_nobody_else(
    lab: RunningLab, verb: str, what: str, office: bool
) -> None:
    leading = {node_of(name) for name in leaders(lab).values()}
    nodes = {f"node-{number}" for number in range(1, 6)}
    node = min(leading if office else nodes - leading)
    before = len(lab.told())
    told = break_and_watch(lab, f"{verb} {node}", node, what)
    assert sorted(deaths(told)) == sorted((what, name) for name in of(node))
    assert all(node_of(notice.coordinator) != node for notice in told if notice.what == what)
    assert_back(lab, node, before)


@pytest.mark.usefixtures("healed", "led")
def test_a_member_that_hears_and_is_not_heard_is_told_and_tells_nothing(lab: RunningLab) -> None:
    node = node_of(leaders(lab)[POD])
    told = break_and_watch(lab, f"drop {node}>*", node, "dead")
    assert {name for _, name in deaths(told)} == of(node)
    assert all(node_of(notice.coordinator) != node for notice in told if notice.what in DEATHS)


@pytest.mark.usefixtures("healed", "led")
def test_a_receiver_that_was_away_is_told_afterwards(lab: RunningLab) -> None:
    lab.order("drop *>pager")
    before = len(lab.told())
    node = min({f"node-{number}" for number in range(1, 6)} - {node_of(name) for name in leaders(lab).values()})
    lab.order(f"kill {node}")
    until(lambda: [finding for finding in lab.verdict().findings if finding.subject == node])
    time.sleep(3.0)
    assert deaths(lab.told()[before:]) == []
    lab.order("clear")
    until(lambda: {name for _, name in deaths(lab.told()[before:])} == of(node))
    until(lambda: {notice.member for notice in lab.told()[before:] if notice.what == "back"} >= of(node))
    of_one = [notice.what for notice in lab.told()[before:] if notice.member == f"{node}-pod"]
    assert of_one == ["gone", "back"], "in the order in which it happened"


@pytest.mark.usefixtures("healed", "led")
def test_a_rolling_restart_of_all_is_nobodys_death(lab: RunningLab) -> None:
    before = len(lab.told())
    for number in range(1, 6):
        lab.order(f"state node-{number} rolling")
        time.sleep(0.5)
        lab.order(f"kill node-{number}")
        time.sleep(2.5)  # longer than a death takes to be told
        lab.order("clear")
        until(lambda: len(leaders(lab)) == 2 and lab.verdict().observers == 10)
    time.sleep(3.0)
    assert deaths(lab.told()[before:]) == []


@pytest.mark.parametrize("nodes", [3, pytest.param(15, marks=pytest.mark.crowd)])
def test_few_members_and_more(tmp_path_factory: pytest.TempPathFactory, nodes: int) -> None:
    in_namespaces(lambda: None)
    with RunningLab(tmp_path_factory.mktemp("n"), nodes) as lab:
        await_good(lab, 60.0)
        until(lambda: leaders(lab), 60.0)
        node = node_of(leaders(lab)[HOST])
        told = break_and_watch(lab, f"kill {node}", node, "gone")
        assert sorted(deaths(told)) == sorted(("gone", name) for name in of(node))
