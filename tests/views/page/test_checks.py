"""Plain targets and how they answer."""

from __future__ import annotations

import msgspec

from kubesonar.model import Network
from kubesonar.views.page.checks import checks_of, target_model, targets_model
from tests.core.mesh import Mesh, Packet, Rule
from tests.views.page.source import UTC, MeshSource


def deaf(packet: Packet) -> bool:
    return packet.target == "dns-1" and packet.proto == "udp" and packet.network is Network.POD


def test_what_fails_comes_first_with_those_for_whom_it_fails() -> None:
    source = MeshSource(Mesh(nodes=5, rules=[Rule(deaf)]))
    first, *rest = targets_model(source.read.values(), source.known()).targets
    assert (first.target.text, first.target.href, first.how) == ("dns-1", "/targets/dns-1", "dns pod")
    assert (first.health, first.failing, first.asking, first.faults) == ("bad", 5, 10, "timeout")
    assert first.who == tuple(f"node-{n}-pod" for n in range(1, 6))
    assert {one.health for one in rest} == {"good"}
    assert all(one.rtt and one.worst for one in rest)


def test_more_than_a_few_are_only_counted() -> None:
    source = MeshSource(Mesh(nodes=12, neighbours=2, rules=[Rule(deaf)]))
    first = targets_model(source.read.values(), source.known()).targets[0]
    assert len(first.who) == 9 and first.who[-1] == "4 more"


def test_dns_is_questions_only() -> None:
    source = MeshSource(Mesh(nodes=2))
    found = targets_model(source.read.values(), source.known(), dns=True).targets
    assert {one.target.text for one in found} == {"dns-1", "dns-2"}
    assert len(found) == 4


def test_one_target_is_told_by_each_who_asks() -> None:
    source = MeshSource(Mesh(nodes=2, rules=[Rule(deaf)]))
    model = target_model("dns-1", source.read.values(), source.known(), source.past, source.at, UTC)
    assert model is not None and len(model.checks) == 8
    first = model.checks[0]
    assert (first.source.text, first.source.href, first.failed) == ("node-1-pod", "/nodes/node-1", "100%")
    assert target_model("node-1-pod", source.read.values(), source.known(), source.past, source.at, UTC) is None


def test_nothing_is_known_of_what_was_asked_long_ago() -> None:
    source = MeshSource(Mesh(nodes=2))
    snapshot = source.read.get("node-1-pod")
    assert snapshot is not None
    late = msgspec.structs.replace(snapshot, at=snapshot.at + 1000.0)
    assert {one.health for one in checks_of(late, source.known())} == {"unknown"}
    assert {one.failed for one in checks_of(late, source.known())} == {""}
