from __future__ import annotations

import msgspec
import pytest

from kubesonar.core.diagnosis.joining.join import basis
from kubesonar.core.diagnosis.verdict import judge, verdict_on
from kubesonar.model import Health, Saturation, Verdict
from tests.core.mesh import OWN_SERVICE, PLAIN, START, Mesh


def verdict(mesh: Mesh, *others: str, **kernel: int) -> Verdict:
    """The verdict after 30 s, where the kernel of node-3, and those of others, say this."""
    snapshots, unread, now = mesh.run(30).snapshots(30)
    full = Saturation(now, 60.0, **kernel)
    say = {f"{node}-host" for node in ("node-3", *others)}
    told = [
        msgspec.structs.replace(snapshot, saturation=full) if snapshot.member.name in say else snapshot
        for snapshot in snapshots
    ]
    return judge(told, unread, now, lambda at: f"{at - START:.0f}")


FULL = {"conntrack_entries": 262_100, "conntrack_limit": 262_144, "conntrack_drops": 1_234}


def test_a_full_conntrack_table_is_the_cause_of_what_the_node_loses() -> None:
    mesh = Mesh(nodes=4, seed=1).drop("*", "node-3", 0.5, proto="tcp").drop("*", "node-3", 0.3, proto="icmp")
    (only,) = verdict(mesh, **FULL).findings
    assert (only.part, only.subject) == ("conntrack_full", "node-3")
    assert only.sentence == (
        "the conntrack table of node-3 is full and new connections fail: "
        "262,100 of 262,144 entries, 1,234 dropped in the last 60 s"
    )
    assert only.because
    assert only.confirm.endswith("nf_conntrack_count /proc/sys/net/netfilter/nf_conntrack_max")


@pytest.mark.parametrize("nodes", [3, 5])
@pytest.mark.parametrize("share", [0.3, 1.0])
def test_it_is_the_cause_of_all_that_begins_anew_into_the_node_and_out_of_it(nodes: int, share: float) -> None:
    mesh = Mesh(nodes=nodes, seed=2, plain=(*PLAIN, OWN_SERVICE))
    for source, target in (("*", "node-3"), ("node-3", "*")):
        mesh.drop(source, target, share, proto="tcp").drop(source, target, share, proto="icmp")
        mesh.drop(source, target, share, proto="udp", port=53)  # trains go on from the ports that they have
    (only,) = verdict(mesh, **FULL).findings
    assert (only.part, only.subject) == ("conntrack_full", "node-3")
    assert any("flow" in line for line in only.because)


def test_it_is_told_though_no_probe_shows_it() -> None:
    (only,) = verdict(Mesh(nodes=4, seed=1), **FULL).findings
    assert only.part == "conntrack_full"


@pytest.mark.parametrize("change", [{"conntrack_entries": 100_000}, {"conntrack_drops": 3}, {"conntrack_limit": 0}])
def test_a_busy_table_is_not_full(change: dict[str, int]) -> None:
    assert verdict(Mesh(nodes=4, seed=1), **FULL | change).verdict is Health.GOOD


def test_a_full_backlog_is_told_only_where_loss_follows_from_it() -> None:
    assert verdict(Mesh(nodes=4, seed=1), softnet_drops=5_000).verdict is Health.GOOD
    lossy = Mesh(nodes=4, seed=1).drop("*", "node-3", 0.3)
    (only,) = verdict(lossy, softnet_drops=5_000).findings
    assert (only.part, only.subject) == ("backlog_full", "node-3")
    assert "node-3 loses" in only.because[0]


@pytest.mark.parametrize("others", [(), ("node-1", "node-2", "node-4")])
def test_a_full_backlog_is_not_why_nothing_gets_in(others: tuple[str, ...]) -> None:
    (only,) = verdict(Mesh(nodes=4, seed=1).drop("*", "node-3", 1), *others, softnet_drops=1_209).findings
    assert (only.part, only.subject) == ("node_in", "node-3")


def test_packets_that_a_well_node_drops_as_well_are_not_what_another_loses() -> None:
    lossy = Mesh(nodes=4, seed=1).drop("*", "node-3", 0.3)
    (only,) = verdict(lossy, "node-1", softnet_drops=5_000).findings
    assert (only.part, only.subject) == ("node_in", "node-3")


@pytest.mark.parametrize(
    ("known", "heard", "unread", "told"),
    [
        (True, True, ("host", "pod"), True),
        (True, True, ("host",), True),
        (True, True, ("pod",), False),
        (False, True, ("host", "pod"), False),
        (True, False, ("host", "pod"), False),
    ],
)
def test_a_conntrack_table_that_was_full_is_so_until_its_own_agent_is_read_again_or_nobody_hears_the_node(
    known: bool, heard: bool, unread: tuple[str, ...], told: bool
) -> None:
    mesh = Mesh(nodes=4, seed=1)
    if not heard:
        mesh.cut("node-3", 5)
    snapshots, _, now = mesh.run(30).snapshots(30)
    why = {f"node-3-{network}": "no answer within 2 s" for network in unread}
    read = [snapshot for snapshot in snapshots if snapshot.member.name not in why]
    before = {("conntrack_full", "node-3"): now - 20} if known else {}
    findings = verdict_on(basis(read, why, now), str, before).findings
    assert any(finding.part == "conntrack_full" for finding in findings) is told
