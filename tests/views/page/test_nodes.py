"""Nodes as a list, and one in full."""

from __future__ import annotations

import msgspec
import pytest

from kubesonar.core.telemetry.reports.short_history import ShortHistory
from kubesonar.model import InterfaceFacts, Member, NodeFacts, Saturation, State, Trouble
from kubesonar.views.matrix import matrices
from kubesonar.views.page.nodes import MemberReport, NodeModel, node_model, nodes_model
from tests.core.mesh import Mesh
from tests.views.page.source import UTC, MeshSource


def reports(source: MeshSource) -> list[MemberReport]:
    return [
        MemberReport(one.member, one.reported, one.unread, source.read.get(one.member.name)) for one in source.members()
    ]


def node(source: MeshSource, name: str, told: list[MemberReport] | None = None) -> NodeModel | None:
    found = reports(source) if told is None else told
    return node_model(
        name, found, matrices(source.found), source.incidents(), source.known(), source.past, source.at, UTC
    )


def test_sick_nodes_come_first_and_remarks_say_why() -> None:
    mesh = Mesh(states={"node-5-pod": (State.DRAINING, "by ops")}).cut("node-4")
    source = MeshSource(mesh, silent="node-4")
    lines = nodes_model(reports(source), matrices(source.found), source.states().excused).nodes
    assert lines[0].link.text in {"node-1", "node-2", "node-3", "node-4"}
    by_name = {line.link.text: line for line in lines}
    assert by_name["node-4"].reported == "never" and "pod: " in by_name["node-4"].note
    assert by_name["node-5"].state == "draining, serving" and "draining: by ops" in by_name["node-5"].note


def test_paths_are_told_both_ways_those_that_are_not_well_first() -> None:
    model = node(MeshSource(Mesh(nodes=3).drop("node-1", "node-2", 0.4)), "node-1")
    assert model is not None
    assert len(model.paths) == 4 and model.more_paths == 0
    first = model.paths[0]
    assert first.peer.text == "node-2" and " lost" in first.out and first.back.startswith("well")
    assert first.out_look.startswith("l ") and first.back_look.startswith("w ")
    assert {line.network for line in model.paths} == {"pod", "host"}
    assert len(model.incidents) == 1
    assert {check.source.text for member in model.members for check in member.checks} >= {"api", "dns-1"}


def test_a_member_says_what_troubles_it() -> None:
    source = MeshSource(Mesh(nodes=2))
    told = reports(source)
    assert told[0].snapshot is not None
    snapshot = msgspec.structs.replace(
        told[0].snapshot,
        troubles=(Trouble(source.at - 5, None, "the loop was starved"), Trouble(source.at - 30, source.at - 20, "old")),
        lacks=("it cannot ping: not permitted",),
        saturation=Saturation(
            source.at, 60.0, conntrack_entries=97, conntrack_limit=100, conntrack_drops=3, udp_receive_drops=0
        ),
    )
    model = node(source, "node-1", [msgspec.structs.replace(told[0], snapshot=snapshot)])
    assert model is not None
    (card,) = model.members
    assert card.remarks[2:] == (
        "it cannot ping: not permitted",
        "conntrack table 97% full (97 of 100)",
        "3 packets dropped because the conntrack table was full in 60 s",
    )
    assert card.remarks[0].startswith("the loop was starved, since ") and " until " in card.remarks[1]


def test_facts_of_a_node_are_told_in_words() -> None:
    source = MeshSource(Mesh(nodes=2))
    told = reports(source)
    assert told[0].snapshot is not None
    facts = NodeFacts(
        kernel="6.18.2",
        booted=source.at - 3600.0,
        interfaces=(InterfaceFacts("eth0", 1450, ("10.0.0.1/24",)), InterfaceFacts("eth1")),
        nameservers=("10.96.0.10",),
        search=("svc.cluster.local",),
        ndots=5,
        looked_up={"collector": ()},
        throttled=0.25,
    )
    snapshot = msgspec.structs.replace(told[0].snapshot, facts=facts)
    model = node(source, "node-1", [msgspec.structs.replace(told[0], snapshot=snapshot)])
    assert model is not None
    assert [(fact.label, fact.text) for fact in model.members[0].facts] == [
        ("Kernel", "6.18.2"),
        ("Booted", UTC.clock(source.at - 3600.0)),
        ("Interface eth0", "MTU 1450, 10.0.0.1/24"),
        ("Interface eth1", "MTU not known, no address"),
        ("Resolver", "10.96.0.10, ndots 5, search svc.cluster.local"),
        ("collector is", "not known to the resolver"),
        ("Throttled", "in 25% of the CPU's periods"),
    ]


@pytest.mark.parametrize("name", ["nobody", "", "dns-1"])
def test_there_is_no_page_of_what_is_no_node(name: str) -> None:
    assert node(MeshSource(Mesh(nodes=2)), name) is None


def test_a_member_whose_node_is_not_known_has_its_own_page() -> None:
    member = Member("lone", "", ("10.0.0.9",), 1)
    model = node_model(
        "lone", [MemberReport(member, None, "it has not reported yet")], (), (), {}, ShortHistory(), 1.0, UTC
    )
    assert model is not None and model.members[0].unread == "it has not reported yet"
    lines = nodes_model([MemberReport(member, None, "")], (), {}).nodes
    assert [line.link.href for line in lines] == ["/nodes/lone"]
