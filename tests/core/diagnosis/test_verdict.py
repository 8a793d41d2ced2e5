from __future__ import annotations

import msgspec
import pytest

from kubesonar.core.diagnosis.verdict import judge
from kubesonar.core.telemetry.ledger import window
from kubesonar.model import Fault, Health, Side, Snapshot, Trial, Trouble, Verdict
from tests.core.mesh import START, Mesh


def clock(at: float) -> str:
    return f"{at - START:.0f}"


def verdict(mesh: Mesh, after: float) -> Verdict:
    return judge(*mesh.snapshots(after), clock)


def test_a_healthy_mesh_in_one_sentence() -> None:
    found = verdict(Mesh(seed=1).run(20), 20)
    assert found.verdict is Health.GOOD
    assert found.sentence == "the network is healthy: 5 nodes, 10 agents, 80 paths, 0 % loss in the last 10 s"
    assert (found.observers, found.members, found.unknown) == (10, 10, ())


def test_the_only_node_of_a_cluster_is_healthy_though_nobody_else_hears_it() -> None:
    snapshots, unread, now = Mesh(nodes=1).run(20).snapshots(20)
    found = judge(snapshots, unread, now, clock)
    assert found.verdict is Health.GOOD
    assert found.sentence.startswith("the network is healthy: 1 node, 2 agents, ")
    alone = judge(snapshots[:1], {snapshots[1].member.name: "no answer within 2 s"}, now, clock)
    assert (
        alone.sentence == f"cannot tell: {snapshots[1].member.name} was neither read (no answer within 2 s) nor heard"
    )
    assert alone.blind


def test_nothing_read_is_unknown() -> None:
    found = judge([], {"node-1-pod": "connection refused"}, START, clock)
    assert found.verdict is Health.UNKNOWN
    assert found.sentence == "cannot tell: no agent could be read (node-1-pod: connection refused)"
    assert judge([], {}, START, clock).sentence == "cannot tell: no agent could be read"


def test_where_few_are_read_it_is_unknown_for_want_of_them() -> None:
    snapshots, _, now = Mesh(seed=1).run(20).snapshots(20)

    def without(*nodes: str) -> Verdict:
        read = [snapshot for snapshot in snapshots if snapshot.member.node not in nodes]
        missing = [snapshot.member.name for snapshot in snapshots if snapshot.member.node in nodes]
        return judge(read, dict.fromkeys(missing, "no answer within 2 s"), now, clock)

    few = without("node-1", "node-2", "node-3")
    assert (few.verdict, few.blind) == (Health.UNKNOWN, True)
    one = without("node-1")
    assert (one.verdict, one.blind) == (Health.GOOD, False)


def test_where_nothing_is_read_each_reason_is_told_once() -> None:
    refused, late = "connection refused", "no answer within 2 s"
    alike = judge([], {f"node-{number}-pod": refused for number in (1, 2, 3)}, START, clock)
    assert alike.unknown == (f"no agent could be read (node-1-pod and 2 more: {refused})",)
    assert alike.sentence == f"cannot tell: {alike.unknown[0]}"
    found = judge([], {"a": late, "b": refused, "c": refused, "d": "HTTP status 500"}, START, clock)
    assert found.sentence == f"cannot tell: no agent could be read (b and 1 more: {refused})"
    assert found.unknown[1:] == (f"a could not be read: {late}", "d could not be read: HTTP status 500")


@pytest.mark.parametrize(("ago", "health"), [(1.0, Health.GOOD), (10.0, Health.GOOD), (20.0, Health.UNKNOWN)])
def test_why_nobody_hears_a_member_is_no_trouble_that_was_over_long_before(ago: float, health: Health) -> None:
    ended = Trouble(START + 35 - ago, START + 40 - ago, "event loop 5.0 s late")
    snapshots, unread, now = Mesh(seed=1, troubles={"node-3-pod": [ended]}).run(40).snapshots(40)
    asked = [
        msgspec.structs.replace(
            each, edges=tuple(edge for edge in each.edges if edge.latest.check.target != "node-3-pod")
        )
        for each in snapshots
    ]
    found = judge(asked, unread, now, clock)
    assert found.verdict is health
    unheard = "nobody has heard node-3-pod in the last seconds"
    assert (unheard in found.sentence) is (health is Health.UNKNOWN)


def test_too_early_is_unknown() -> None:
    mesh = Mesh(seed=1).run(10)
    assert verdict(mesh, 2).verdict is Health.UNKNOWN
    assert verdict(mesh, 2).sentence == "cannot tell: not enough has been measured yet"
    assert verdict(mesh, 9).verdict is Health.GOOD


def test_too_few_observers_is_unknown() -> None:
    snapshots, _, now = Mesh(seed=1).run(15).snapshots(15)
    unread = {snapshot.member.name: "no answer within 2 s" for snapshot in snapshots[3:]}
    found = judge(snapshots[:3], unread, now, clock)
    assert found.verdict is Health.UNKNOWN
    assert found.sentence.startswith("cannot tell: only 3 of 10 serving agents could be read")


def test_an_agent_that_only_could_not_be_read_is_no_finding() -> None:
    snapshots, _, now = Mesh(seed=1).run(15).snapshots(15)
    found = judge(snapshots[1:], {"node-1-pod": "no answer within 2 s"}, now, clock)
    assert found.verdict is Health.GOOD
    assert found.unknown == ("node-1-pod could not be read: no answer within 2 s",)


def test_a_member_nobody_asked_is_not_healthy() -> None:
    mesh = Mesh(seed=1).run(15)
    snapshots, _, now = mesh.snapshots(15)
    deaf = [
        msgspec.structs.replace(
            snapshot,
            edges=tuple(
                edge
                for edge in snapshot.edges
                if edge.latest.check.target != "node-2-pod" or edge.latest.side is Side.RESPONDER
            ),
        )
        for snapshot in snapshots
    ]
    found = judge(deaf, {}, now, clock)
    assert found.verdict is Health.UNKNOWN
    assert found.sentence == "cannot tell: nobody has heard node-2-pod in the last seconds"


def test_an_agent_whose_peers_cannot_be_read_is_there_if_they_answer_it() -> None:
    snapshots, _, now = Mesh(nodes=3, seed=1).run(15).snapshots(15)
    unread = dict.fromkeys(("node-1-host", "node-2-host"), "no answer within 2 s")
    read = [snapshot for snapshot in snapshots if snapshot.member.name not in unread]
    assert judge(read, unread, now, clock).verdict is Health.GOOD
    cut, _, now = Mesh(nodes=3, seed=1).cut("node-3", 3).run(15).snapshots(15)
    alone = judge([one for one in cut if one.member.name not in unread], unread, now, clock)
    assert alone.verdict is Health.BAD


def test_a_version_mismatch_is_named_and_is_no_loss() -> None:
    snapshots, _, now = Mesh(seed=1).run(15).snapshots(15)

    def mismatch(trial: Trial) -> Trial:
        return msgspec.structs.replace(trial, received=0, fault=Fault.MISMATCH)

    mixed = [
        msgspec.structs.replace(
            snapshot,
            edges=tuple(
                msgspec.structs.replace(edge, trials=tuple(trials), long=window(trials, now, 60.0))
                if (trials := [mismatch(trial) for trial in edge.trials])
                and edge.latest.check.id == "udp/pod/node-3-pod/v4"
                else edge
                for edge in snapshot.edges
            ),
        )
        for snapshot in snapshots
    ]
    found = judge(mixed, {}, now, clock)
    assert found.findings == ()
    assert "node-3-pod: version/key mismatch" in found.unknown


def test_a_clock_far_off_is_mentioned() -> None:
    found = verdict(Mesh(seed=1, clocks={"node-2-host": 61.0}).run(15), 15)
    assert found.verdict is Health.GOOD
    assert found.unknown == ("the clock of node-2-host is +61 s off",)


def test_loss_that_nobody_can_place_yet_is_not_called_healthy() -> None:
    mesh = Mesh(seed=1).cut("node-3", 12).run(20)
    assert verdict(mesh, 14.6).verdict is Health.UNKNOWN
    assert "too few yet to say where" in verdict(mesh, 14.6).sentence
    assert not verdict(mesh, 14.6).blind


def test_evidence_for_and_against_is_kept() -> None:
    found = verdict(Mesh(seed=1).drop("node-1", "node-2", proto="udp").run(20), 20).findings[0]
    assert any(line.startswith("udp reach in the pod network") for line in found.evidence)
    assert 0.9 < found.confidence < 1


def test_what_cannot_be_told_apart_is_named_together() -> None:
    found = verdict(Mesh(seed=1).drop("node-1", "api").run(20), 20).findings[0]
    assert (found.part, found.subject) == ("pair_port", "node-1>api tcp/6443")
    assert "pair node-1>api" in found.alike
    assert found.evidence[-1].startswith("the present probes cannot tell this from: ")


def test_a_stale_roster_and_one_that_cannot_tell_everything_are_remarked_on_and_no_more() -> None:
    snapshots, unread, now = Mesh(seed=1).run(20).snapshots(20)

    def having(number: int, **more: str) -> Snapshot:
        roster = msgspec.structs.replace(snapshots[number].roster, **more)
        return msgspec.structs.replace(snapshots[number], roster=roster)

    lacks = "zones are unknown: may not list nodes"
    told = [having(n, lacks=lacks, stale=f"pods: no answer, {n}" if n else "") for n in range(3)] + snapshots[3:]
    found = judge(told, unread, now, clock)
    assert found.verdict is Health.GOOD
    assert found.unknown == ("the roster of 2 of 10 agents is stale: pods: no answer, 1", lacks)


def test_what_agents_lack_alike_is_one_line_with_a_count() -> None:
    snapshots, _, now = Mesh(seed=1).run(15).snapshots(15)
    told = [
        msgspec.structs.replace(
            snapshot,
            lacks=(f"DNS pods may be out of date: no answer (since 09:00:0{n})", "the ingress is not checked: no URL"),
        )
        for n, snapshot in enumerate(snapshots)
    ]
    assert judge(told, {}, now, clock).unknown == (
        "DNS pods may be out of date: no answer (since 09:00:00) (and 9 more agents)",
        "the ingress is not checked: no URL",
    )


def test_a_verdict_is_of_the_time_at_which_it_was_asked_for() -> None:
    """Not of the newest snapshot, by which trials are judged: reading may have taken a while."""
    snapshots, unread, now = Mesh().run(12).snapshots(12)
    assert judge(snapshots, unread, now + 1.5, clock).at == now + 1.5
