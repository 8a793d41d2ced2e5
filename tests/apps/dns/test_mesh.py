"""What a collector tells of DNS pods and of the ways to their nodes, over real sockets."""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs, urlsplit

import pytest

from kubesonar.api.documents import CollectorMember, EdgePage, EdgeSummary, MemberPage
from kubesonar.apps.client.collector_client import CollectorClient
from kubesonar.apps.dns.mesh import MeshStandpoints
from kubesonar.core.encoding import encode_json
from kubesonar.core.remedy.dns_round import DnsServerPod
from kubesonar.core.telemetry.ledger import window
from kubesonar.doctor.repair.rounds import MeshEdge
from kubesonar.model import Check, Edge, Fault, Kind, Member, Network, Observation, Path
from tests.apps.listening import answer, on_tcp

MEMBERS = (
    Member("a1", "n1", ("10.0.0.1",), 7473),
    Member("a2", "n2", ("10.0.0.2",), 7473),
    Member("h2", "n2", ("10.1.0.2",), 7473, Network.HOST),
    Member("far", "", ("10.0.0.9",), 7473),
)
PODS = (DnsServerPod(uid="u1", name="coredns-1", node="n1"), DnsServerPod(uid="u2", name="coredns-2", node="n2"))


def summary(source: str, target: str, fault: Fault | None = None) -> EdgeSummary:
    dns = target.startswith("coredns")
    check = Check(target, Kind.DNS if dns else Kind.UDP, Path.DNS_POD if dns else Path.POD, target, "10.0.0.1", 53)
    latest = Observation(check, source, Network.POD, 1000.0, fault=fault)
    return EdgeSummary(source, Edge(latest, window([], 1000.0, 10.0), window([], 1000.0, 60.0)))


def read(*edges: EdgeSummary, pods: tuple[DnsServerPod, ...] = PODS) -> tuple[list[MeshEdge], list[str]]:
    """What is read of a collector that knows these edges, and of which targets it was asked."""
    asked: list[str] = []

    def served(request: bytes) -> bytes | None:
        url = urlsplit(request.split(b" ")[1].decode())
        if url.path == "/api/v1/members":
            members = tuple(CollectorMember(member, 1.0, "") for member in MEMBERS)
            return answer(encode_json(MemberPage(1, members, "")))(request)
        (target,) = parse_qs(url.query)["target"]
        asked.append(target)
        found = tuple(edge for edge in edges if edge.edge.latest.check.target == target)
        return answer(encode_json(EdgePage(1, found, "")))(request)

    with on_tcp(served) as url:
        return asyncio.run(MeshStandpoints(CollectorClient(url, "", "", 5.0)).edges(pods)), asked


def test_while_all_pods_answer_nothing_else_is_asked() -> None:
    found, asked = read(summary("a1", "coredns-1"), summary("a2", "coredns-1"), summary("gone", "coredns-2"))
    assert [(one.source, one.node, one.beyond) for one in found] == [("a1", "n1", ""), ("a2", "n2", "")]
    assert asked == ["coredns-1", "coredns-2"]


def test_the_way_to_the_node_of_a_pod_that_somebody_does_not_hear_is_read_too() -> None:
    silent, way = summary("a1", "coredns-2", Fault.TIMEOUT), summary("a1", "a2")
    found, asked = read(silent, way, summary("a1", "h2"))
    assert found == [MeshEdge("a1", "n1", silent.edge), MeshEdge("a1", "n1", way.edge, "n2")]
    assert asked == ["coredns-1", "coredns-2", "a2"]


@pytest.mark.parametrize("node", ["", "n9"])
def test_a_node_without_agents_has_no_ways(node: str) -> None:
    pod = DnsServerPod(uid="u1", name="coredns-1", node=node)
    _, asked = read(summary("a1", "coredns-1", Fault.TIMEOUT), pods=(pod,))
    assert asked == ["coredns-1"]
