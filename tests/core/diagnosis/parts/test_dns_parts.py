"""Only large answers of DNS are lost: which server's, at which node, on which way, or all."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from kubesonar.core.diagnosis.parts.table import PARTS, crossed
from kubesonar.core.diagnosis.parts.traversal import Aspect, End, Traversal, Way
from kubesonar.core.diagnosis.verdict import judge
from kubesonar.model import Health, Kind, Network, Path, Verdict
from tests.core.mesh import LARGE_ANSWERS, PLAIN, START, Mesh

ON, OFF, END = 11.0, 25.0, 36.0
BIG = 1500


def server(mesh: Mesh) -> None:
    mesh.drop("dns-1", "*", 1, ON, OFF, size=BIG)


def node(mesh: Mesh) -> None:
    mesh.drop("dns-1", "node-2", 1, ON, OFF, size=BIG).drop("dns-2", "node-2", 1, ON, OFF, size=BIG)


def way(mesh: Mesh) -> None:
    mesh.drop("dns-1", "node-2", 1, ON, OFF, size=BIG)


def everywhere(mesh: Mesh) -> None:
    mesh.drop("dns-1", "*", 1, ON, OFF, size=BIG).drop("dns-2", "*", 1, ON, OFF, size=BIG)


def deaf(mesh: Mesh) -> None:
    mesh.drop("*", "dns-1", 1, ON, OFF, proto="udp")


def dead(mesh: Mesh) -> None:
    mesh.drop("*", "dns-1", 1, ON, OFF)


def small_mtu(mesh: Mesh) -> None:
    mesh.drop("*", "node-2", 1, ON, OFF, size=BIG)


def lossy(mesh: Mesh) -> None:
    mesh.drop("*", "dns-1", 0.5, ON, OFF)


def _verdict(mesh: Mesh, after: float) -> Verdict:
    return judge(*mesh.snapshots(after), lambda at: f"{at - START:.0f}")


def _mesh(fault: Callable[[Mesh], None], until: float) -> Mesh:
    mesh = Mesh(seed=3, background=1e-4, plain=(*PLAIN, *LARGE_ANSWERS))
    fault(mesh)
    return mesh.run(until)


@pytest.mark.parametrize(
    ("fault", "part", "subject", "sentence"),
    [
        (server, "dns_large", "dns-1", "no large answers of dns-1 come by UDP, small ones do, since 11"),
        (
            node,
            "dns_large",
            "node-2>dns",
            "node-2 gets no large answers from DNS servers by UDP, only small ones, others",
        ),
        (way, "dns_large", "node-2>dns-1", "node-2 gets no large answers of dns-1 by UDP, only small ones, others get"),
        (
            everywhere,
            "dns_large",
            "dns-service",
            "no large answers of the cluster's DNS servers come by UDP, small ones",
        ),
        (deaf, "dns_udp", "dns-1", "dns-1 is deaf by UDP and answers by TCP since 11"),
        (dead, "dns_server", "dns-1", "dns-1 answers neither by UDP nor by TCP since 11"),
        (small_mtu, "node_mtu", "node-2", "packets of full size do not pass into node-2"),
        (lossy, "dns_server", "dns-1", "dns-1 leaves"),
    ],
)
def test_what_is_lost_is_told_as_one_part_and_only_while_it_lasts(
    fault: Callable[[Mesh], None], part: str, subject: str, sentence: str
) -> None:
    mesh = _mesh(fault, END)
    for after in (ON, ON + 2, ON + 4, ON + 8, ON + 13, OFF + 2, OFF + 5):
        found = _verdict(mesh, after)
        assert {(finding.part, finding.subject) for finding in found.findings} <= {(part, subject)}, after
        if after == ON + 13:
            assert found.sentence.startswith(sentence)
    assert _verdict(mesh, OFF + 10).findings == ()
    assert _verdict(mesh, END).verdict is Health.GOOD


def test_large_answers_to_a_node_that_gets_no_big_packets_are_listed_under_it() -> None:
    found = _verdict(_mesh(small_mtu, ON + 13), ON + 13).findings
    assert [finding.part for finding in found] == ["node_mtu"]
    assert [line.partition(" by UDP")[0] for line in found[0].because] == [
        "node-2 gets no large answers from DNS servers"
    ]


def test_the_command_that_would_confirm_it_asks_for_the_large_answer() -> None:
    (found,) = _verdict(_mesh(server, ON + 13), ON + 13).findings
    assert found.confirm.endswith("dig +tries=1 +time=2 +bufsize=4096 +ignore @10.9.9.9 -p 53 big.test A")
    (other,) = _verdict(_mesh(deaf, ON + 13), ON + 13).findings
    assert other.confirm.endswith("dig +tries=1 +time=2 @10.9.9.9 -p 53 x.test A")


def _parts(target: End) -> set[tuple[str, str]]:
    source = End("node-1-pod", "node-1", "a", Network.POD)
    route = Traversal(source, target, Kind.DNS, Path.DNS_POD, Way.ROUND, Aspect.REACH, large=True)
    found = {(PARTS[index].name, PARTS[index].variant, subject) for index, subject in crossed(route)}
    return {(variant, subject) for name, variant, subject in found if name == "dns_large"}


def test_what_stays_on_a_node_says_nothing_of_what_is_lost_beyond_it() -> None:
    own = {("", "coredns-1"), ("node", "node-1>dns"), ("all", "dns-service"), ("way", "node-1>coredns-1")}
    beyond = {("beyond", "coredns-1"), ("node beyond", "node-1>dns"), ("all beyond", "dns-service")}
    assert _parts(End("coredns-1", "node-1")) == own
    assert _parts(End("coredns-1", "node-2")) == own | beyond
