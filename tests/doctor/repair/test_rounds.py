"""A round, of what this doctor got and of what the agents of a mesh found."""

from __future__ import annotations

import pytest

from kubesonar.core.dns_check.questions import AskedServer, AskPurpose, DnsAsk, ServerRole
from kubesonar.core.dns_check.results import DnsOutcome, DnsResult
from kubesonar.core.remedy.dns_round import DnsServerPod, DnsStandpoint, PodReplies, PodReply
from kubesonar.core.telemetry.ledger import window
from kubesonar.doctor.repair.facts import DnsFacts
from kubesonar.doctor.repair.rounds import MESH_FRESH, MeshEdge, round_of, servers_of
from kubesonar.model import Check, Edge, Fault, Kind, Network, Observation, Path, Phase, Span

HERE = DnsStandpoint(name="here", node="n1")
FACTS = DnsFacts(
    pods=(DnsServerPod(uid="u1", name="coredns-1", node="n2"), DnsServerPod(uid="u2", name="coredns-2")),
    addresses={"u1": "10.0.0.1", "u2": ""},
)
NOW = 1000.0


def result(outcome: DnsOutcome, *, tcp: bool = False, reached: bool = False, name: str = "coredns-1") -> DnsResult:
    server = AskedServer(name, ServerRole.POD, "10.0.0.1")
    return DnsResult(server, DnsAsk(AskPurpose.CLUSTER, "x", tcp=tcp), outcome, reached=reached)


def test_every_pod_with_an_address_is_asked() -> None:
    assert [(one.name, one.address, one.node) for one in servers_of(FACTS)] == [("coredns-1", "10.0.0.1", "n2")]


@pytest.mark.parametrize(
    "outcome, reply",
    [
        (DnsOutcome.GOOD, PodReply.ANSWERED),
        (DnsOutcome.NO_ANSWER, PodReply.SILENT),
        (DnsOutcome.UNREACHABLE, PodReply.SILENT),
        (DnsOutcome.CLOSED, PodReply.REFUSED),
        (DnsOutcome.SERVFAIL, PodReply.WRONG),
        (DnsOutcome.WRONG_ADDRESS, PodReply.UNKNOWN),
        (DnsOutcome.LOCAL, PodReply.UNKNOWN),
    ],
)
def test_what_came_back_here(outcome: DnsOutcome, reply: PodReply) -> None:
    found = round_of(FACTS, HERE, [result(outcome), result(DnsOutcome.GOOD, tcp=True)])
    assert found.replies == (PodReplies(standpoint="here", pod="u1", udp=reply, tcp=PodReply.ANSWERED),)


def test_a_handshake_without_an_answer_reached_the_pod() -> None:
    found = round_of(FACTS, HERE, [result(DnsOutcome.NO_ANSWER), result(DnsOutcome.NO_ANSWER, tcp=True, reached=True)])
    assert found.replies[0].reached


def test_servers_that_are_no_pods_of_the_facts_do_not_count() -> None:
    assert round_of(FACTS, HERE, [result(DnsOutcome.GOOD, name="other")]).replies == ()


def edge(
    fault: Fault | None,
    by: str = "udp",
    *,
    source: str = "a2",
    path: Path = Path.DNS_POD,
    age: float = 1.0,
    bad_for: float | None = None,
) -> MeshEdge:
    check = Check("c", Kind.DNS, path, "coredns-1", "10.0.0.1", 53, request=f"x A {by}")
    phases = (Span(Phase.CONNECT, 0.0, 0.1),) if by == "tcp" else ()
    latest = Observation(check, source, Network.POD, NOW - age, fault=fault, phases=phases)
    since = None if bad_for is None else NOW - bad_for
    edge = Edge(latest, window([], NOW, 10.0), window([], NOW, 60.0), bad_since=since)
    return MeshEdge(source, f"node-{source}", edge)


def test_agents_are_standpoints_on_their_nodes() -> None:
    mesh = [edge(Fault.TIMEOUT), edge(Fault.TIMEOUT, "tcp"), edge(None, source="a3")]
    found = round_of(FACTS, HERE, [], mesh, NOW)
    assert [(one.name, one.node) for one in found.standpoints] == [
        ("here", "n1"),
        ("a2", "node-a2"),
        ("a3", "node-a3"),
    ]
    assert found.replies == (
        PodReplies(standpoint="a2", pod="u1", udp=PodReply.SILENT, tcp=PodReply.SILENT, reached=True),
        PodReplies(standpoint="a3", pod="u1", udp=PodReply.ANSWERED),
    )


def test_a_large_answer_that_is_lost_says_nothing_of_the_pod() -> None:
    found = round_of(FACTS, HERE, [], [edge(None), edge(Fault.TIMEOUT, "large")], NOW)
    assert found.replies == (PodReplies(standpoint="a2", pod="u1", udp=PodReply.ANSWERED),)


def way(fault: Fault | None, *, source: str = "a2", beyond: str = "n2", age: float = 0.5, family: int = 4) -> MeshEdge:
    """A train of an agent to one in the pod network of a node, half a second after it asked a DNS pod."""
    check = Check("w", Kind.UDP, Path.POD, "agent", "10.0.0.9", 7473)
    latest = Observation(check, source, Network.POD, NOW - age, fault=fault, family=family)
    return MeshEdge(source, f"node-{source}", Edge(latest, window([], NOW, 10.0), window([], NOW, 60.0)), beyond)


@pytest.mark.parametrize(
    ("ways", "expected"),
    [
        ([way(None)], True),
        ([way(Fault.REFUSED)], True),
        ([way(Fault.TIMEOUT)], False),
        ([way(Fault.TIMEOUT), way(None)], True),
        ([way(Fault.LOCAL)], None),
        ([way(Fault.TIMEOUT, age=2.0)], None),
        ([way(None, family=6)], None),
        ([way(None, source="a3")], None),
        ([way(None, beyond="n3")], None),
        ([way(None, beyond="node-a2")], None),
    ],
)
def test_whether_an_agent_reaches_the_node_of_a_pod_that_is_silent(ways: list[MeshEdge], expected: bool | None) -> None:
    found = round_of(FACTS, HERE, [], [edge(Fault.TIMEOUT), edge(Fault.TIMEOUT, "tcp", age=0.1), *ways], NOW)
    assert found.replies[0].node_reached is expected
    assert {one.name: one.well for one in found.standpoints}["a2"] is (True if expected else None)


@pytest.mark.parametrize(("age", "expected"), [(19.0, True), (21.0, None)])
def test_a_way_counts_that_was_tried_since_the_pod_began_to_fail(age: float, expected: bool | None) -> None:
    found = round_of(FACTS, HERE, [], [edge(Fault.TIMEOUT, bad_for=20.0), way(None, age=age)], NOW)
    assert found.replies[0].node_reached is expected


def test_an_agent_whose_own_node_alone_is_reached_is_not_known_to_be_well() -> None:
    here = DnsFacts(pods=(DnsServerPod(uid="u1", name="coredns-1", node="node-a2"),))
    found = round_of(here, HERE, [], [edge(Fault.TIMEOUT), way(None, beyond="node-a2")], NOW)
    assert (found.replies[0].node_reached, found.standpoints[1].well) == (None, None)


@pytest.mark.parametrize(
    "fault, reply",
    [(Fault.LOCAL, PodReply.UNKNOWN), (Fault.REFUSED, PodReply.REFUSED), (Fault.WRONG_ANSWER, PodReply.WRONG)],
)
def test_what_an_agent_found(fault: Fault, reply: PodReply) -> None:
    assert round_of(FACTS, HERE, [], [edge(fault)], NOW).replies[0].udp is reply


def test_what_is_old_or_about_the_service_does_not_count() -> None:
    mesh = [edge(None, age=MESH_FRESH + 1), edge(None, path=Path.DNS_SERVICE)]
    found = round_of(FACTS, HERE, [], mesh, NOW)
    assert (found.replies, found.standpoints) == ((), (HERE,))
