"""In a big mesh few pairs are looked at closely, and what is told is the same."""

from __future__ import annotations

import msgspec
import pytest

from kubesonar.core.diagnosis.evidence import Ages, Evidence
from kubesonar.core.diagnosis.joining.join import basis
from kubesonar.core.diagnosis.joining.sieve import Sieve
from kubesonar.core.diagnosis.joining.sifted_source import SiftedSources
from kubesonar.core.diagnosis.population import standing
from kubesonar.core.diagnosis.verdict import judge, verdict_on
from kubesonar.model import Edge, Health, Verdict, Window
from tests.core.mesh import Mesh


def looked_at(evidence: Evidence) -> set[tuple[str, str]]:
    return {(cell.route.source.node, cell.route.target.place) for cell in evidence.cells}


def closely(mesh: Mesh, after: float) -> tuple[Evidence, Verdict, Verdict]:
    """The evidence after a verdict, that verdict, and the one on all trials of all pairs."""
    snapshots, unread, now = mesh.snapshots(after)
    found, whole = basis(snapshots, unread, now), basis(snapshots, unread, now)
    whole.evidence.all_cells()
    return found.evidence, verdict_on(found, str), verdict_on(whole, str)


def told(verdict: Verdict) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(finding.sentence, finding.confirm, finding.observers) for finding in verdict.findings]


def test_of_a_mesh_that_is_well_nothing_is_looked_at_closely() -> None:
    evidence, verdict, whole = closely(Mesh(6, seed=1).run(20), 20)
    assert evidence.cells == []
    assert (verdict.verdict, verdict.findings) == (Health.GOOD, whole.findings)
    assert evidence.paths == 12 * (5 + 4)
    assert not evidence.loss(10.0)


def test_of_one_sick_pair_its_two_nodes_are_enough() -> None:
    evidence, verdict, whole = closely(Mesh(6, seed=1).drop("node-1", "node-2", 1, 5).run(20), 20)
    assert [finding.subject for finding in verdict.findings] == ["node-1>node-2"]
    assert told(verdict) == told(whole)
    between_others = {("node-4", "node-5"), ("node-5", "node-6"), ("node-6", "node-4")}
    assert not looked_at(evidence) & between_others


def test_a_node_is_told_by_what_crosses_it_and_a_zone_by_everything() -> None:
    evidence, verdict, whole = closely(Mesh(6, seed=1).cut("node-3", 5).run(20), 20)
    assert [finding.subject for finding in verdict.findings] == ["node-3"]
    assert told(verdict) == told(whole)
    assert ("node-1", "node-2") not in looked_at(evidence)
    zones = Mesh(6, seed=1)
    for near in (1, 2, 3):
        for far in (4, 5, 6):
            zones.drop(f"node-{near}", f"node-{far}", 1, 5)
    _, verdict, whole = closely(zones.run(20), 20)
    assert [finding.subject for finding in verdict.findings] == ["a>b"]
    assert told(verdict) == told(whole)


def test_a_plain_target_that_fails_is_looked_at_from_everywhere() -> None:
    evidence, verdict, whole = closely(Mesh(6, seed=1).drop("*", "dns-1", 1, 5).run(20), 20)
    assert [finding.subject for finding in verdict.findings] == ["dns-1"]
    assert told(verdict) == told(whole)
    assert ("node-1", "node-2") not in looked_at(evidence)


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_windows_without_sums_as_reports_have_them_are_summed(share: float) -> None:
    snapshots, unread, now = Mesh(6, seed=1).drop("node-1", "node-2", share, 5).run(20).snapshots(20)
    bare = [msgspec.structs.replace(each, edges=tuple(without_sums(edge) for edge in each.edges)) for each in snapshots]
    verdict, expected = judge(bare, unread, now, str), judge(snapshots, unread, now, str)
    assert told(verdict) == told(expected)
    assert verdict.sentence == expected.sentence
    assert bool(verdict.findings) is (share > 0)


def without_sums(edge: Edge) -> Edge:
    return msgspec.structs.replace(edge, short=Window(edge.short.span), long=Window(edge.long.span))


def lossy_before(nodes: int) -> Mesh:
    return Mesh(nodes, seed=1).drop("*", "*", 0.0002, until=170).run(240)


@pytest.mark.parametrize("nodes", [3, 6])
def test_of_pairs_that_are_well_now_it_is_told_what_they_lost_before(nodes: int) -> None:
    who = standing(*lossy_before(nodes).snapshots(240))
    found = Sieve(who, Ages(10.0, 60.0), SiftedSources()).quiet.groups(recorded=True)
    trains = [each for each in found if each.packets > 1]
    assert trains
    for each in trains:
        assert 0 < each.bad < 0.003 * each.trials


def test_in_a_small_mesh_the_past_of_every_pair_that_lost_something_is_looked_at() -> None:
    evidence = basis(*lossy_before(3).snapshots(240)).evidence
    assert sum(sum(cell.bad) for cell in evidence.cells if cell.packets > 1) > 0
    assert not any(each.bad for each in evidence.quiet)


@pytest.mark.parametrize("began", [44.0, 35.0, 20.0])
def test_trials_before_most_edges_began_to_fail_are_in_other_bins_than_those_since(began: float) -> None:
    mesh = Mesh(nodes=3, seed=1).drop("node-1", "*", since=began).drop("*", "node-1", since=began).run(60)
    cells = basis(*mesh.snapshots(60)).evidence.cells
    cut = [cell for cell in cells if cell.route.reach and "node-1" in (cell.route.source.node, cell.route.target.node)]
    counts = [(bad, total) for cell in cut for bad, total in zip(cell.bad, cell.total, strict=True) if total]
    assert {bad / total for bad, total in counts} == {0.0, 1.0}
