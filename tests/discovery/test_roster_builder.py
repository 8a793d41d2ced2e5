"""Rosters of copies of pods and nodes: what is missing and out of date is said in them."""

from __future__ import annotations

from kubesonar.discovery.options import RosterOptions
from kubesonar.discovery.roster_builder import RosterBuilder, revision
from kubesonar.model import Roster, State
from tests.discovery.copies import Clock, Copy
from tests.discovery.objects import node, pod


def built(builder: RosterBuilder, pods: Copy, nodes: Copy, slow: str = "") -> Roster:
    roster, _ = builder.roster(pods, nodes, slow)
    assert roster is not None
    return roster


def make() -> tuple[RosterBuilder, Clock]:
    clock = Clock()
    return RosterBuilder(RosterOptions(linger=60), 0, clock), clock


PODS = {"default/a": pod()}
NODES = {"n1": node()}


def test_nothing_is_said_before_pods_were_listed_and_nodes_were_tried() -> None:
    builder, _ = make()
    waiting = Copy({})
    waiting.synced = False
    assert builder.roster(waiting, Copy(NODES), "") == (None, None)
    assert builder.roster(Copy(PODS), waiting, "") == (None, None)
    waiting.trouble = "nodes: refused"
    assert built(builder, Copy(PODS), waiting).stale == "nodes: refused"


def test_what_is_out_of_date_and_what_is_missing() -> None:
    builder, _ = make()
    assert built(builder, Copy(PODS, trouble="pods: 500"), Copy(NODES)).stale == "pods: 500"
    nodes = Copy({}, trouble="nodes: 403", forbidden="list nodes")
    nodes.synced = False
    roster = built(builder, Copy(PODS, forbidden="watch pods"), nodes, "slow")
    assert roster.stale == "", "a right that is missing makes nothing stale"
    assert roster.lacks == (
        "zones and states of nodes are unknown: may not list nodes; changes are seen late: may not watch pods; slow"
    )


def test_who_left_is_deleted_for_a_while_and_then_forgotten_without_news() -> None:
    builder, clock = make()
    first = built(builder, Copy(PODS), Copy(NODES))
    assert first.revision == revision(first.members)
    gone, wait = builder.roster(Copy({}), Copy(NODES), "")
    assert gone is not None
    assert [(member.name, member.state) for member in gone.members] == [("a", State.DELETED)]
    assert wait == 60
    clock.now += 60
    assert built(builder, Copy({}), Copy(NODES)).members == ()


def test_a_node_that_an_old_list_cannot_know_is_not_called_gone() -> None:
    builder, _ = make()
    stale = Copy({}, trouble="nodes: 500")
    assert built(builder, Copy(PODS), stale).members[0].state is State.SERVING
    builder, _ = make()
    built(builder, Copy(PODS), Copy(NODES))
    assert built(builder, Copy(PODS), stale).members[0].state is State.DELETED, "this one was known once"
