from __future__ import annotations

from kubesonar.core.diagnosis.verdict import judge
from kubesonar.model import Finding, Severity
from tests.core.mesh import START, Mesh


def findings(nodes: int, dead: list[str]) -> tuple[Finding, ...]:
    """What is found in the newest seconds of a mesh of which these nodes were cut off at 11 s and not read."""
    mesh = Mesh(nodes=nodes, seed=1)
    for node in dead:
        mesh.cut(node, 11)
    snapshots, unread, now = mesh.run(20).snapshots(20)
    silent = {member.name: "no answer within 2 s" for member in mesh.members if member.node in dead}
    return judge(snapshots, unread | silent, now, lambda at: f"{at - START:.0f}").findings


def test_a_zone_without_an_answer_is_one_critical_incident() -> None:
    (only,) = findings(6, ["node-4", "node-5", "node-6"])
    assert (only.part, only.subject, only.severity) == ("zone", "b", Severity.CRITICAL)
    assert only.sentence == "zone b is down or cut off since 11: none of its 3 nodes answers"
    assert only.because


def test_a_zone_with_a_survivor_is_one_as_well() -> None:
    (only,) = findings(8, ["node-5", "node-6", "node-7"])
    assert (only.part, only.subject) == ("zone", "b")
    assert "3 of its 4 nodes do not answer" in only.sentence


def test_one_node_is_no_zone() -> None:
    (only,) = findings(6, ["node-3"])
    assert (only.part, only.subject, only.severity) == ("node", "node-3", Severity.WARNING)


def test_several_nodes_of_different_zones_are_critical_each() -> None:
    dead = ["node-1", "node-2", "node-8"]
    found = findings(8, dead)
    assert {(each.part, each.subject) for each in found} == {("node", node) for node in dead}
    assert {each.severity for each in found} == {Severity.CRITICAL}
