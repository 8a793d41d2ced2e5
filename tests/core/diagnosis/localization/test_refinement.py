from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from kubesonar.core.diagnosis.joining.join import basis
from kubesonar.core.diagnosis.localization.search import Search
from kubesonar.model import Kind
from tests.core.mesh import Mesh

Named = set[tuple[str, str]]

BOTH_WAYS = {("pair", "node-1>node-2"), ("pair", "node-2>node-1")}


def ways_between_two(mesh: Mesh, share: float) -> None:
    mesh.drop("node-1", "node-2", share).drop("node-2", "node-1", share)


def cut_ways_and_a_cut_pod_network(mesh: Mesh) -> Named:
    ways_between_two(mesh, 1.0)
    mesh.cut("node-3", network="pod")
    return {*BOTH_WAYS, ("pod_network", "node-3")}


def one_cut_way_and_a_cut_pod_network(mesh: Mesh) -> Named:
    mesh.drop("node-2", "node-1").cut("node-3", network="pod")
    return {("pair", "node-2>node-1"), ("pod_network", "node-3")}


def lossy_ways_and_lossy_servers(mesh: Mesh) -> Named:
    ways_between_two(mesh, 0.3)
    mesh.drop("*", "dns-1", 0.3).drop("*", "dns-2", 0.3)
    return {*BOTH_WAYS, ("dns_service", "dns-service")}


def lossy_ways_and_a_lossy_pod_network(mesh: Mesh) -> Named:
    ways_between_two(mesh, 0.3)
    mesh.drop("node-3", "*", 0.3, network="pod").drop("*", "node-3", 0.3, network="pod")
    return {*BOTH_WAYS, ("pod_network", "node-3")}


def lossy_way_and_a_lossy_way_into_the_node_that_it_leaves(mesh: Mesh) -> Named:
    mesh.drop("node-2", "node-1", 0.3).drop("*", "node-2", 0.3)
    return {("pair", "node-2>node-1"), ("node_in", "node-2")}


def lossy_way_and_a_pod_network_that_loses_what_it_sends(mesh: Mesh) -> Named:
    mesh.drop("node-2", "node-1", 0.3).drop("node-1", "*", 0.3, network="pod")
    return {("pair", "node-2>node-1"), ("pod_network_out", "node-1")}


def lossy_ways_and_a_lossy_way_into_another_node(mesh: Mesh) -> Named:
    mesh.drop("node-1", "node-3", 0.3).drop("node-3", "node-1", 0.3).drop("*", "node-2", 0.3)
    return {("pair", "node-1>node-3"), ("pair", "node-3>node-1"), ("node_in", "node-2")}


def lossy_ways_and_a_pod_network_at_their_end_that_loses_what_it_sends(mesh: Mesh) -> Named:
    mesh.drop("node-1", "node-3", 0.3).drop("node-3", "node-1", 0.3).drop("node-1", "*", 0.3, network="pod")
    return {("pair", "node-1>node-3"), ("pair", "node-3>node-1"), ("pod_network_out", "node-1")}


@pytest.mark.parametrize("nodes", [3, 4])
@pytest.mark.parametrize(
    "faults",
    [
        cut_ways_and_a_cut_pod_network,
        one_cut_way_and_a_cut_pod_network,
        lossy_ways_and_lossy_servers,
        lossy_ways_and_a_lossy_pod_network,
        lossy_way_and_a_lossy_way_into_the_node_that_it_leaves,
        lossy_way_and_a_pod_network_that_loses_what_it_sends,
        lossy_ways_and_a_lossy_way_into_another_node,
        lossy_ways_and_a_pod_network_at_their_end_that_loses_what_it_sends,
    ],
)
def test_several_faults_are_not_told_as_what_they_have_in_common(faults: Callable[[Mesh], Named], nodes: int) -> None:
    mesh = Mesh(nodes=nodes, seed=1)
    expected = faults(mesh)
    found = basis(*mesh.run(30).snapshots(30))
    suspects = Search(found.evidence, found.who.now, lambda cell: True).run()
    assert {(suspect.part.name, suspect.subject) for suspect in suspects} == expected


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize(("way_back", "later", "after"), [(True, 25, 45), (True, 20, 34), (False, 20, 38)])
def test_a_way_that_is_lossy_later_than_another_from_the_same_node_does_not_make_it_the_node(
    seed: int, way_back: bool, later: int, after: int
) -> None:
    period = {Kind.UDP: 1.0, Kind.TCP: 10.0, Kind.HTTP: 10.0, Kind.ICMP: 5.0, Kind.MTU: 60.0, Kind.DNS: 10.0}
    mesh = Mesh(nodes=3, seed=seed, period=period)
    mesh.drop("node-2", "node-3", 0.3).drop("node-2", "node-1", 0.3, since=later)
    if way_back:
        mesh.drop("node-1", "node-2", 0.3, since=later)
    found = basis(*mesh.run(after).snapshots(after))
    known = ("pair", "node-2>node-3")
    suspects = Search(found.evidence, found.who.now, lambda cell: True, {known}).run()
    expected = BOTH_WAYS if way_back else {("pair", "node-2>node-1")}
    assert {suspect.named for suspect in suspects} == {known, *expected}


@pytest.mark.parametrize("seed", [1, 3, 5])
def test_a_way_between_zones_of_one_node_each_is_told_beside_another_fault_on_it(seed: int) -> None:
    period = {Kind.UDP: 1.0, Kind.TCP: 10.0, Kind.HTTP: 10.0, Kind.ICMP: 5.0, Kind.MTU: 60.0, Kind.DNS: 3.0}
    mesh = Mesh(nodes=3, seed=seed, period=period)
    mesh.members = [msgspec.structs.replace(member, zone=f"zone of {member.node}") for member in mesh.members]
    mesh.drop("node-3", "node-1", 0.3)
    mesh.drop("node-3", "dns-1", 0.3).drop("*", "dns-1", 0.4, proto="tcp").run(16)
    for record in [record for records in mesh.records.values() for record in records.values()]:
        if record.check.target == "dns-1":
            record.check = msgspec.structs.replace(record.check, node="node-1")
    found = basis(*mesh.snapshots(16))
    told = {suspect.named for suspect in Search(found.evidence, found.who.now, lambda cell: True).run()}
    way = ("zone_pair", "zone of node-3>zone of node-1")
    assert {way} <= told <= {way, ("dns_tcp", "dns-1")}


@pytest.mark.parametrize(("seed", "after"), [(2, 24), (3, 20), (4, 30)])
@pytest.mark.parametrize("known", [(), ("pod_network_out",)])
def test_a_pod_network_that_loses_both_ways_is_not_told_as_one_of_them_where_its_agent_cannot_be_read(
    seed: int, after: int, known: tuple[str, ...]
) -> None:
    period = {Kind.UDP: 4.0, Kind.TCP: 10.0, Kind.HTTP: 20.0, Kind.ICMP: 10.0, Kind.MTU: 60.0, Kind.DNS: 10.0}
    mesh = Mesh(nodes=4, seed=seed, period=period)
    mesh.drop("node-4", "*", 0.3, network="pod").drop("*", "node-4", 0.3, network="pod").run(60)
    snapshots, unread, now = mesh.snapshots(after)
    read = [snapshot for snapshot in snapshots if snapshot.member.name != "node-4-pod"]
    evidence = basis(read, unread | {"node-4-pod": "no answer"}, now).evidence
    search = Search(evidence, now, lambda cell: True, [(part, "node-4") for part in known])
    assert {(suspect.part.name, suspect.subject) for suspect in search.run()} == {("pod_network", "node-4")}


def told(mesh: Mesh, *hidden: str, over_network: bool = True) -> Named:
    """What is told where the agents of the nodes that are `hidden` cannot be read."""
    snapshots, unread, now = mesh.run(30).snapshots(30)
    read = [snapshot for snapshot in snapshots if snapshot.member.node not in hidden]
    unread |= {snapshot.member.name: "no answer" for snapshot in snapshots if snapshot.member.node in hidden}
    evidence = basis(read, unread, now, over_network=over_network).evidence
    suspects = Search(evidence, now, lambda cell: True).run()
    return {(suspect.part.name, suspect.subject) for suspect in suspects}


@pytest.mark.parametrize("way", [("node-3", "*"), ("*", "node-3")])
def test_both_ways_between_two_beside_a_node_that_cannot_be_read_are_not_all_nodes(way: tuple[str, str]) -> None:
    mesh = Mesh(nodes=3, seed=1).drop(*way, since=10)
    mesh.drop("node-1", "node-2", since=10).drop("node-2", "node-1", since=10)
    found = told(mesh, "node-3")
    assert found > BOTH_WAYS
    assert {subject for _, subject in found - BOTH_WAYS} == {"node-3"}


@pytest.mark.parametrize("way", [("node-1", "node-2"), ("node-2", "node-1")])
def test_a_way_of_a_node_that_was_read_over_the_network_is_not_the_node_where_its_other_peer_is_gone(
    way: tuple[str, str],
) -> None:
    mesh = Mesh(nodes=3, seed=1, plain=()).drop("node-3", "*").drop("*", "node-3").drop(*way)
    assert told(mesh, "node-3") == {("node", "node-3"), ("pair", ">".join(way))}


@pytest.mark.parametrize("part", ["node", "node_in", "node_out"])
@pytest.mark.parametrize("nodes", [3, 4])
def test_a_node_that_is_read_over_a_network_of_its_own_is_told_where_nothing_gets_through(
    part: str, nodes: int
) -> None:
    mesh = Mesh(nodes=nodes, seed=1)
    if part != "node_in":
        mesh.drop("node-1", "*")
    if part != "node_out":
        mesh.drop("*", "node-1")
    assert told(mesh) == {(part, "node-1")}
