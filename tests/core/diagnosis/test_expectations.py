"""A node that Kubernetes calls NotReady: told beside what the probes found, and never an excuse."""

from __future__ import annotations

import msgspec
import pytest

from kubesonar.core.diagnosis.verdict import judge
from kubesonar.model import Health, Member, Snapshot, State, Verdict
from tests.core.mesh import START, Mesh

CUT, UNREADY = 11.0, 18.0
CNI = "container runtime network not ready: cni plugin not initialized"


def clock(at: float) -> str:
    return f"{at - START:.0f}"


def verdict(mesh: Mesh, after: float, state: State = State.NOT_READY, reason: str = "", **how: object) -> Verdict:
    """The verdict on a mesh whose rosters have node-3 in that state; node-3 is read only where `readable`."""
    snapshots, unread, now = mesh.snapshots(after)
    if not how.get("readable"):
        unread |= {member.name: "no answer within 2 s" for member in mesh.members if member.node == "node-3"}
    declared = [_declared(snapshot, state, reason) for snapshot in snapshots]
    return judge(declared, unread, now, clock)


def _declared(snapshot: Snapshot, state: State, reason: str) -> Snapshot:
    def declared(member: Member) -> Member:
        if member.node != "node-3":
            return member
        return msgspec.structs.replace(member, state=state, reason=reason, since=START + UNREADY)

    roster = msgspec.structs.replace(snapshot.roster, members=tuple(map(declared, snapshot.roster.members)))
    return msgspec.structs.replace(snapshot, roster=roster)


@pytest.mark.parametrize("after", [24.0, 40.0, 70.0])
def test_a_cut_node_is_named_for_as_long_as_the_cut_lasts(after: float) -> None:
    found = verdict(Mesh(nodes=3, seed=1).cut("node-3", CUT).run(71), after)
    assert found.verdict is Health.BAD
    begin = "node-3 is down or cut off since "
    assert found.sentence.startswith(begin)
    assert "; Kubernetes calls it NotReady since 18; 4 of 4 observers agree" in found.sentence
    assert not any("Kubernetes" in line for line in found.unknown)
    assert found.states == ()


def test_its_own_reason_is_told_along() -> None:
    found = verdict(Mesh(nodes=3, seed=1).cut("node-3", CUT, network="pod").run(30), 30, reason=CNI, readable=True)
    assert found.findings[0].part == "pod_network"
    assert f"; Kubernetes calls it NotReady since 18 ({CNI})" in found.sentence


def test_a_gone_agent_is_told_with_what_kubernetes_says_of_its_node() -> None:
    mesh = Mesh(nodes=3, seed=1)
    mesh.stop("node-3", mesh.gone, CUT)
    assert "its host answers; Kubernetes calls it NotReady since 18" in verdict(mesh.run(30), 30).sentence


@pytest.mark.parametrize(("reason", "told"), [("", ""), (CNI, f" ({CNI})")])
def test_a_node_whose_agents_answer_is_a_remark_on_its_kubelet(reason: str, told: str) -> None:
    found = verdict(Mesh(nodes=3, seed=1).run(30), 30, reason=reason, readable=True)
    assert found.verdict is Health.GOOD
    assert found.sentence.startswith("the network is healthy: 3 nodes, 6 agents, ")
    assert found.unknown == (
        f"Kubernetes calls node-3 NotReady since 18{told}, but its agents answer everybody: look at its kubelet",
    )


def test_many_nodes_that_are_not_ready_and_answer_are_one_line() -> None:
    snapshots, unread, now = Mesh(nodes=5, seed=1).run(30).snapshots(30)
    roster = msgspec.structs.replace(
        snapshots[0].roster,
        members=tuple(msgspec.structs.replace(one, state=State.NOT_READY) for one in snapshots[0].roster.members),
    )
    found = judge([msgspec.structs.replace(one, roster=roster) for one in snapshots], unread, now, clock)
    assert found.verdict is Health.GOOD
    assert found.unknown == ("Kubernetes calls node-1 and 4 more nodes NotReady, but their agents answer everybody",)


def test_agents_that_do_not_answer_everybody_are_not_said_to() -> None:
    mesh = Mesh(nodes=3, seed=1).drop("node-1", "node-3", 1, CUT).run(30)
    assert "Kubernetes calls node-3 NotReady since 18" in verdict(mesh, 30, readable=True).unknown


def test_an_announced_absence_excuses_all_the_same() -> None:
    found = verdict(Mesh(nodes=3, seed=1).cut("node-3", CUT).run(30), 30, State.DRAINING, "node-3 is shutting down")
    assert (found.verdict, len(found.states)) == (Health.GOOD, 2)


def test_a_node_that_can_run_no_agent_is_said_to_be_unmeasured_and_leaves_the_verdict_as_it_is() -> None:
    virtual = Member("agent-v", "virtual-1", (), 7473, state=State.UNSUPPORTED, reason="node virtual-1 …: Pending")
    snapshots, unread, now = Mesh(nodes=3, seed=1).run(30).snapshots(30)
    there = [
        msgspec.structs.replace(
            snapshot, roster=msgspec.structs.replace(snapshot.roster, members=(*snapshot.roster.members, virtual))
        )
        for snapshot in snapshots
    ]
    found = judge(there, unread, now, clock)
    assert found.verdict is Health.GOOD
    assert found.sentence.endswith("loss in the last 10 s; virtual-1 can run no agent")
    assert found.states == ("agent-v unsupported: node virtual-1 …: Pending",)


def frozen(mesh: Mesh) -> Mesh:
    mesh.stop("node-3", mesh.frozen, CUT)
    return mesh.run(55)


def test_a_frozen_agent_that_has_answered_is_not_starting() -> None:
    found = verdict(frozen(Mesh(nodes=3, seed=1)), 45, State.STARTING, "its pod has not been ready yet")
    assert (found.verdict, found.findings[0].part) == (Health.BAD, "agent_frozen")


def test_who_starts_by_one_roster_only_has_started() -> None:
    mesh = Mesh(nodes=3, seed=1)
    mesh.stop("node-3", mesh.frozen, 0)
    snapshots, unread, now = mesh.run(55).snapshots(45)
    lagging = [_declared(snapshots[0], State.STARTING, ""), *snapshots[1:]]
    assert judge(lagging, unread, now, clock).verdict is Health.BAD
    starting = [_declared(snapshot, State.STARTING, "") for snapshot in snapshots]
    assert judge(starting, unread, now, clock).verdict is Health.GOOD
