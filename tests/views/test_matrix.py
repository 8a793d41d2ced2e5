"""Who reaches whom, of pairs that are well without a closer look, and of all others with one."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from kubesonar.core.diagnosis.joining.join import basis
from kubesonar.core.diagnosis.verdict import verdict_on
from kubesonar.model import Edge, Kind, Snapshot, State, Window
from kubesonar.views.cells import Mark
from kubesonar.views.matrix import Matrix, matrices
from tests.core.mesh import START, Mesh

AFTER = 25.0
SELDOM = dict.fromkeys((Kind.UDP, Kind.TCP, Kind.HTTP, Kind.ICMP, Kind.MTU, Kind.DNS), 12.0)

MESHES = {
    "well": Mesh(),
    "cut": Mesh().cut("node-3"),
    "cut from now on": Mesh().cut("node-3", 19.0),
    "just well again": Mesh().cut("node-3", 0.0, 12.0),
    "lossy one way": Mesh().drop("node-1", "node-2", 0.4),
    "dead back": Mesh().drop("node-1", "node-2", 1.0),
    "lossy everywhere": Mesh().drop("*", "*", 0.05),
    "only UDP": Mesh().drop("node-1", "node-2", proto="udp"),
    "only TCP": Mesh().drop("node-1", "node-2", proto="tcp"),
    "big packets": Mesh().mtu("node-1", "*", 1400),
    "slow": Mesh(slow={"node-4": 5e6}),
    "a DNS server": Mesh().drop("*", "dns-1"),
    "gone": Mesh().stop("node-4", {}, 5.0),
    "no records": Mesh(unjoined=True).drop("node-1", "node-2", 0.4),
    "excused": Mesh(states={"node-2-pod": (State.DRAINING, "cordoned")}).cut("node-2"),
    "few neighbours": Mesh(nodes=8, neighbours=2).drop("node-1", "node-2", 0.4),
    "seldom asked": Mesh(period=SELDOM).drop("node-1", "node-2"),
}


@pytest.mark.parametrize("name", MESHES)
def test_a_pair_that_is_not_looked_at_closely_is_told_as_one_that_is(name: str) -> None:
    mesh = MESHES[name].run(AFTER)
    read, unread, now = mesh.snapshots(AFTER)
    for silent in ("", "node-5"):
        snapshots = [snapshot for snapshot in read if snapshot.member.node != silent]
        closely = basis(snapshots, unread, now)
        closely.evidence.all_cells()
        expected = matrices(closely)
        found = basis(snapshots, unread, now)
        assert matrices(found) == expected
        searched = basis(snapshots, unread, now)
        verdict_on(searched, str)
        assert matrices(searched) == expected


def test_of_a_mesh_with_one_sick_pair_its_cells_alone_are_made() -> None:
    found = basis(*Mesh().drop("node-1", "node-2", 0.4).run(AFTER).snapshots(AFTER))
    matrices(found)
    assert {tuple(sorted((cell.route.source.node, cell.route.target.node))) for cell in found.evidence.cells} == {
        ("node-1", "node-2")
    }


def test_a_pair_of_which_no_trial_counts_is_unknown() -> None:
    young = Mesh().run(AFTER)
    for after in (0.4, 1.0, 1.9):  # an answer of a plain target counts after half a second, those of members after two
        found = basis(*young.snapshots(after))
        cells = [cell for matrix in matrices(found) for cell in matrix.cells]
        members = found.who.members
        assert {cell.mark for cell in cells if cell.target in members} == {Mark.UNKNOWN}
        assert after > 0.5 or {cell.mark for cell in cells} == {Mark.UNKNOWN}


def changed(snapshots: list[Snapshot], change: Callable[[Snapshot, Edge], Edge | None]) -> list[Snapshot]:
    """The snapshots with each edge as `change` makes it, without those of which it makes none."""
    made = ((each, [new for edge in each.edges if (new := change(each, edge)) is not None]) for each in snapshots)
    return [msgspec.structs.replace(each, edges=tuple(edges)) for each, edges in made]


def marks_of(snapshots: list[Snapshot], unread: dict[str, str], now: float) -> dict[tuple[str, str], Mark]:
    """The marks, which are the same where each pair is looked at closely."""
    found, closely = basis(snapshots, unread, now), basis(snapshots, unread, now)
    closely.evidence.all_cells()
    drawn = matrices(found)
    assert drawn == matrices(closely)
    return {(cell.source, cell.target): cell.mark for matrix in drawn for cell in matrix.cells}


def test_what_is_late_gets_through() -> None:
    def late(_: Snapshot, edge: Edge) -> Edge:
        trials = tuple(msgspec.structs.replace(trial, slow=True) for trial in edge.trials)
        return msgspec.structs.replace(edge, trials=trials, usual=0.001)

    snapshots, unread, now = Mesh().run(AFTER).snapshots(AFTER)
    assert {*marks_of(changed(snapshots, late), unread, now).values()} == {Mark.WELL}


def test_pairs_without_trials_or_with_old_ones_only_are_unknown() -> None:
    read, unread, now = Mesh().run(AFTER).snapshots(AFTER)

    def old(_: Snapshot, edge: Edge) -> Edge:
        trials = tuple(msgspec.structs.replace(trial, at=trial.at - 100.0) for trial in edge.trials)
        return msgspec.structs.replace(edge, trials=trials)

    def none(_: Snapshot, edge: Edge) -> Edge:
        return msgspec.structs.replace(edge, trials=(), short=Window(10.0), long=Window(60.0))

    for change in (old, none):
        assert {*marks_of(changed(read, change), unread, now).values()} == {Mark.UNKNOWN}


@pytest.mark.parametrize(("share", "mark"), [(0.0, Mark.WELL), (0.4, Mark.LOSSY), (1.0, Mark.DEAD)])
def test_of_a_pair_that_is_asked_one_way_only_that_way_is_told(share: float, mark: Mark) -> None:
    read, unread, now = Mesh().drop("node-1", "node-2", share).run(AFTER).snapshots(AFTER)
    silent = "node-2-pod", "node-1-pod"

    def one_way(snapshot: Snapshot, edge: Edge) -> Edge | None:
        return None if (snapshot.member.name, edge.latest.check.target) == silent else edge

    marks = marks_of(changed(read, one_way), unread, now)
    assert marks["node-1-pod", "node-2-pod"] is mark
    assert silent not in marks


def mirrored(snapshot: Snapshot) -> Snapshot:
    """The snapshot as a mirror has it: without sums over the short window."""
    edges = [msgspec.structs.replace(edge, short=Window(edge.short.span)) for edge in snapshot.edges]
    return msgspec.structs.replace(snapshot, edges=tuple(edges))


def round_trips(drawn: tuple[Matrix, ...]) -> dict[tuple[str, str], float | None]:
    return {(cell.source, cell.target): cell.rtt for matrix in drawn for cell in matrix.cells}


@pytest.mark.parametrize("after", [AFTER, 90.0])
def test_round_trips_are_those_of_the_short_window_with_and_without_its_sums(after: float) -> None:
    mesh = Mesh(clocks={"node-2-pod": 40.0}, gone={"node-3-pod": (START + 70.0, START + 80.0)}).run(after)
    snapshots, unread, now = mesh.snapshots(after)
    expected = round_trips(matrices(basis(snapshots, unread, now)))
    assert any(expected.values())
    assert round_trips(matrices(basis([mirrored(each) for each in snapshots], unread, now))) == expected
