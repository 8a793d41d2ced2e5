from __future__ import annotations

from collections.abc import Callable

import pytest

from kubesonar.core.diagnosis.joining.join import basis
from kubesonar.core.diagnosis.localization.search import Search
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


def lossy_way_and_a_lossy_way_into_the_node_that_it_leaves(mesh: Mesh) -> Named:
    mesh.drop("node-2", "node-1", 0.3).drop("*", "node-2", 0.3)
    return {("pair", "node-2>node-1"), ("node_in", "node-2")}


def lossy_way_and_a_pod_network_that_loses_what_it_sends(mesh: Mesh) -> Named:
    mesh.drop("node-2", "node-1", 0.3).drop("node-1", "*", 0.3, network="pod")
    return {("pair", "node-2>node-1"), ("pod_network_out", "node-1")}


@pytest.mark.parametrize("nodes", [3, 4])
@pytest.mark.parametrize(
    "faults",
    [
        cut_ways_and_a_cut_pod_network,
        one_cut_way_and_a_cut_pod_network,
        lossy_ways_and_lossy_servers,
        lossy_way_and_a_lossy_way_into_the_node_that_it_leaves,
        lossy_way_and_a_pod_network_that_loses_what_it_sends,
    ],
)
def test_several_faults_are_not_told_as_what_they_have_in_common(faults: Callable[[Mesh], Named], nodes: int) -> None:
    mesh = Mesh(nodes=nodes, seed=1)
    expected = faults(mesh)
    found = basis(*mesh.run(30).snapshots(30))
    suspects = Search(found.evidence, found.who.now, lambda cell: True).run()
    assert {(suspect.part.name, suspect.subject) for suspect in suspects} == expected
