from __future__ import annotations

from collections.abc import Callable

import pytest

from kubesonar.core.diagnosis.joining.join import basis
from kubesonar.core.diagnosis.localization.search import Search
from kubesonar.model import Kind
from tests.core.mesh import PORT, START, Mesh

Named = set[tuple[str, str]]

DEFAULT = {Kind.UDP: 2.5, Kind.TCP: 10.0, Kind.HTTP: 10.0, Kind.ICMP: 5.0, Kind.MTU: 60.0, Kind.DNS: 10.0}
"""Seconds between two probes of a kind, as agents have them unless told otherwise."""


def both_ways(mesh: Mesh) -> Named:
    mesh.drop("node-1", "node-2", 0.3).drop("node-2", "node-1", 0.3)
    return {("pair", "node-1>node-2"), ("pair", "node-2>node-1")}


def two_from_one_node(mesh: Mesh) -> Named:
    mesh.drop("node-1", "node-2", 0.3).drop("node-1", "node-4", 0.3)
    return {("pair", "node-1>node-2"), ("pair", "node-1>node-4")}


def one_node(mesh: Mesh) -> Named:
    mesh.drop("node-1", "*", 0.3).drop("*", "node-1", 0.3)
    return {("node", "node-1")}


def big_packets_into_a_node(mesh: Mesh) -> Named:
    for node in ("node-1", "node-2", "node-4"):
        mesh.mtu(node, "node-3", 1400)
    return {("node_mtu", "node-3")}


def everything(mesh: Mesh) -> Named:
    mesh.drop("*", "*", 0.1)
    return {("network", "all nodes")}


@pytest.mark.parametrize("fault", [both_ways, two_from_one_node, one_node, big_packets_into_a_node, everything])
def test_two_narrow_faults_are_not_one_wide_one(fault: Callable[[Mesh], Named]) -> None:
    mesh = Mesh(nodes=4, seed=1)
    expected = fault(mesh)
    found = basis(*mesh.run(30).snapshots(30))
    suspects = Search(found.evidence, found.who.now, lambda cell: True).run()
    assert {(suspect.part.name, suspect.subject) for suspect in suspects} == expected


def test_what_another_part_explains_is_not_the_latest_loss_of_one_that_is_over() -> None:
    mesh = Mesh(nodes=3, seed=1).drop("*", "node-3", 0.5, 5, 20).drop("node-1", "*", 1.0, 22)
    found = basis(*mesh.run(34).snapshots(34))
    search = Search(found.evidence, found.who.now, lambda cell: True)
    assert [suspect.named for suspect in search.run()] == [("node_out", "node-1")]
    before = next(suspect for suspect in search.over if suspect.named == ("node_in", "node-3"))
    assert before.latest is not None
    assert before.latest <= START + 20 < before.times[-1]


def test_what_all_share_has_to_answer_for_the_paths_that_are_well() -> None:
    mesh = Mesh(nodes=3, seed=1)
    expected = both_ways(mesh)
    found = basis(*mesh.run(30).snapshots(30))
    suspects = Search(found.evidence, found.who.now, lambda cell: True).run()
    assert {(suspect.part.name, suspect.subject) for suspect in suspects} == expected


@pytest.mark.parametrize("seed", [1, 2, 4, 5])
@pytest.mark.parametrize("older", [False, True])
def test_loss_of_one_tcp_port_is_told_by_the_syns_that_are_sent_again(seed: int, older: bool) -> None:
    mesh = Mesh(nodes=3, seed=seed, older=older, period=DEFAULT | {Kind.TCP: 2.0})
    mesh.drop("node-1", "node-2", 0.3, proto="tcp", port=PORT)
    found = basis(*mesh.run(60).snapshots(60))
    suspects = Search(found.evidence, found.who.now, lambda cell: True).run()
    told = {(suspect.part.name, suspect.subject) for suspect in suspects}
    expected = {("pair_port", f"node-1>node-2 tcp/{PORT}")}
    assert told in ([set(), expected] if older else [expected])


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(
    ("target", "kind", "part"),
    [("api", Kind.HTTP, ("pair_port", "node-1>api tcp/6443")), ("dns-1", Kind.DNS, ("pair", "node-1>dns-1"))],
)
def test_what_is_tried_seldom_is_told_beside_a_lossy_node_that_it_crosses(
    seed: int, target: str, kind: Kind, part: tuple[str, str]
) -> None:
    mesh = Mesh(nodes=3, seed=seed, period=DEFAULT | {Kind.UDP: 1.0, kind: 3.0})
    mesh.drop("node-1", "*", 0.3).drop("node-1", target, 0.9)
    found = basis(*mesh.run(60).snapshots(60))
    suspects = Search(found.evidence, found.who.now, lambda cell: True).run()
    assert {suspect.named for suspect in suspects} == {("node_out", "node-1"), part}


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(("start", "end"), [("node-1", "node-2"), ("node-2", "node-1")])
def test_what_is_lost_between_two_nodes_beside_one_that_is_cut_off_is_told_of_neither(
    seed: int, start: str, end: str
) -> None:
    mesh = Mesh(nodes=3, seed=seed, plain=()).cut("node-3").drop(start, end, 0.3).run(30)
    snapshots, unread, now = mesh.snapshots(30)
    read = [snapshot for snapshot in snapshots if snapshot.member.node != "node-3"]
    found = basis(read, unread | {"node-3-pod": "no answer", "node-3-host": "no answer"}, now, over_network=True)
    suspects = Search(found.evidence, found.who.now, lambda cell: True).run()
    assert {suspect.named for suspect in suspects} == {("node", "node-3"), ("pair", f"{start}>{end}")}


@pytest.mark.parametrize("way", [("node-1", "*"), ("*", "node-1")])
def test_a_lossy_node_beside_one_that_is_cut_off_is_told_by_its_other_peers(way: tuple[str, str]) -> None:
    mesh = Mesh(nodes=4, seed=1).cut("node-4").drop(*way, 0.3)
    found = basis(*mesh.run(30).snapshots(30))
    told = {suspect.named for suspect in Search(found.evidence, found.who.now, lambda cell: True).run()}
    assert told == {("node", "node-4"), ("node_out" if way[0] == "node-1" else "node_in", "node-1")}


@pytest.mark.parametrize("seed", [2, 3])
def test_what_was_told_before_is_told_while_few_trials_leave_open_who_is_concerned(seed: int) -> None:
    period = {Kind.UDP: 2.5, Kind.TCP: 10.0, Kind.HTTP: 8.0, Kind.ICMP: 5.0, Kind.MTU: 60.0, Kind.DNS: 10.0}
    mesh = Mesh(nodes=3, seed=seed, period=period).drop("*", "api", since=33)
    found = basis(*mesh.run(60).snapshots(60))
    known = ("api_server", "api")
    suspects = Search(found.evidence, found.who.now, lambda cell: True, {known}).run()
    assert [(suspect.part.name, suspect.subject) for suspect in suspects] == [known]


@pytest.mark.parametrize("seed", [2, 3])
def test_what_was_told_before_is_told_no_longer_when_it_is_well(seed: int) -> None:
    mesh = Mesh(nodes=3, seed=seed).drop("*", "api", since=20, until=40)
    found = basis(*mesh.run(50).snapshots(50))
    assert Search(found.evidence, found.who.now, lambda cell: True, {("api_server", "api")}).run() == []


def test_what_is_over_is_kept_apart() -> None:
    found = basis(*Mesh(nodes=4, seed=1).cut("node-3", 11, 25).run(30).snapshots(30))
    search = Search(found.evidence, found.who.now, lambda cell: True)
    assert search.run() == []
    assert {(suspect.part.name, suspect.subject) for suspect in search.over} == {("node", "node-3")}


def test_a_little_loss_everywhere_is_usual() -> None:
    found = basis(*Mesh(nodes=4, seed=1).drop("*", "*", 0.015).run(60).snapshots(60))
    assert Search(found.evidence, found.who.now, lambda cell: True).run() == []


@pytest.mark.parametrize("share", [0.1, 0.3, 1.0])
@pytest.mark.parametrize("nodes", [3, 5])
def test_what_all_nodes_share_on_their_ways_to_each_other_does_not_lead_outside(nodes: int, share: float) -> None:
    mesh = Mesh(nodes=nodes, seed=1)
    names = [f"node-{number}" for number in range(1, nodes + 1)]
    for source in names:
        for target in set(names) - {source}:
            mesh.drop(source, target, share, since=20)
    found = basis(*mesh.run(40).snapshots(40))
    suspects = Search(found.evidence, found.who.now, lambda cell: True).run()
    assert {(suspect.part.name, suspect.subject) for suspect in suspects} == {("network", "all nodes")}


@pytest.mark.parametrize(("nodes", "after"), [(3, 38), (4, 36), (6, 36)])
def test_each_of_two_ways_is_named_though_round_trips_are_explained_by_the_other(nodes: int, after: int) -> None:
    mesh = Mesh(nodes=nodes, seed=1)
    mesh.drop("node-1", "node-2", since=30).drop("node-2", "node-1", since=30)
    found = basis(*mesh.run(after).snapshots(after))
    suspects = Search(found.evidence, found.who.now, lambda cell: True).run()
    assert len(suspects) == 2
    assert {suspect.subject for suspect in suspects} <= {"node-1>node-2", "node-2>node-1", "a>b", "b>a"}


@pytest.mark.parametrize("share", [0.02, 0.05])
@pytest.mark.parametrize(("nodes", "seed"), [(3, 1), (3, 2), (4, 5)])
def test_both_ways_of_the_only_pair_within_a_zone_are_named_though_little_is_lost(
    nodes: int, seed: int, share: float
) -> None:
    mesh = Mesh(nodes=nodes, seed=seed).drop("node-1", "node-2", share).drop("node-2", "node-1", share)
    found = basis(*mesh.run(70).snapshots(70))
    suspects = Search(found.evidence, found.who.now, lambda cell: True).run()
    assert {suspect.subject for suspect in suspects} == {"node-1>node-2", "node-2>node-1"}


def test_one_lost_packet_of_200_on_the_way_into_one_of_three_nodes_is_told_within_five_minutes_mostly() -> None:
    told = []
    for seed in range(1, 5):
        mesh = Mesh(nodes=3, seed=seed, period=DEFAULT).drop("*", "node-2", 0.005)
        found = basis(*mesh.run(300).snapshots(300))
        told += Search(found.evidence, found.who.now, lambda cell: True).run()
    assert {(suspect.part.name, suspect.subject) for suspect in told} == {("node_in", "node-2")}
    assert len(told) >= 3


@pytest.mark.parametrize("known", [("pair", "node-1>node-2"), ("zone_pair", "a>b")])
def test_of_parts_that_explain_about_as_much_the_one_told_before_is_told_again(known: tuple[str, str]) -> None:
    found = basis(*Mesh(nodes=2, seed=1).drop("node-1", "node-2").run(30).snapshots(30))
    suspects = Search(found.evidence, found.who.now, lambda cell: True, {known}).run()
    assert [(suspect.part.name, suspect.subject) for suspect in suspects] == [known]
