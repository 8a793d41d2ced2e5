"""The map, of a simulated mesh, at 5 and at 200 members."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import pytest

from kubesonar.core.diagnosis.joining.join import basis
from kubesonar.core.diagnosis.verdict import verdict_on
from kubesonar.model import Kind, Member, Network, State
from kubesonar.views.cells import Mark, PathCell
from kubesonar.views.labels import duration, share
from kubesonar.views.matrix import Matrix, matrices, natural
from kubesonar.views.terminal.board import Board
from kubesonar.views.terminal.map import MapView
from tests.core.mesh import Mesh
from tests.views.clusters import CLUSTERS
from tests.views.drawn import drawn

AFTER = 25.0
TARGETS = ("api", "ingress", "coredns-5d78c9869d-7xk2p", "coredns-5d78c9869d-m2v4q")
SLOW = {Kind.UDP: 1.5, Kind.TCP: 3.0, Kind.HTTP: 3.0, Kind.ICMP: 3.0, Kind.MTU: 3.0, Kind.DNS: 3.0}


def seen(mesh: Mesh, after: float = AFTER) -> tuple[Matrix, ...]:
    return matrices(basis(*mesh.run(after).snapshots(after)))


def marks(matrix: Matrix) -> dict[tuple[str, str], PathCell]:
    """The cells that are not well, by nodes."""
    ends = ((cell, cell.source.rpartition("-")[0], cell.target.rpartition("-")[0]) for cell in matrix.cells)
    return {(a, b): cell for cell, a, b in ends if cell.mark is not Mark.WELL}


@functools.cache
def large(sick: bool) -> tuple[Matrix, ...]:
    mesh = Mesh(nodes=200, neighbours=5, period=SLOW, plain=())
    if sick:
        mesh.cut("node-77").drop("node-150", "node-151", 0.3)
    return seen(mesh, 14.0)


def test_a_well_mesh_is_all_well_in_both_networks() -> None:
    found = seen(Mesh())
    assert [matrix.network for matrix in found] == [Network.POD, Network.HOST]
    assert all(cell.mark is Mark.WELL and cell.loss in (0, None) for matrix in found for cell in matrix.cells)
    assert [len(matrix.cells) for matrix in found] == [5 * 4 + 5 * 4] * 2
    assert found[0].targets == ("api", "dns-1", "dns-2", "ingress")


def test_what_is_lost_one_way_is_shown_that_way_only() -> None:
    for matrix in seen(Mesh().drop("node-1", "node-2", 0.4)):
        assert set(marks(matrix)) == {("node-1", "node-2")}
        cell = marks(matrix)["node-1", "node-2"]
        assert cell.mark is Mark.LOSSY and cell.loss is not None and 0.2 < cell.loss < 0.6
    for matrix in seen(Mesh().drop("node-1", "node-2")):
        assert {ends: cell.mark for ends, cell in marks(matrix).items()} == {("node-1", "node-2"): Mark.DEAD}


def test_a_cut_node_is_dead_both_ways_and_to_targets() -> None:
    pod = seen(Mesh().cut("node-3"))[0]
    dead = {(cell.source, cell.target) for cell in pod.cells if cell.mark is Mark.DEAD}
    others = [f"node-{n}-pod" for n in (1, 2, 4, 5)]
    out = {("node-3-pod", name) for name in (*others, *pod.targets)}
    assert dead == out | {(name, "node-3-pod") for name in others}


def test_a_kind_of_check_that_fails_alone_is_named() -> None:
    udp = marks(seen(Mesh().drop("node-1", "node-2", proto="udp"))[0])["node-1", "node-2"]
    assert (udp.mark, udp.failing) == (Mark.PARTLY, ("udp",))
    mtu = marks(seen(Mesh().mtu("node-4", "node-5", 1300))[0])["node-4", "node-5"]
    assert (mtu.mark, mtu.failing) == (Mark.PARTLY, ("mtu",))
    dns = [cell for cell in seen(Mesh().drop("*", "dns-1", proto="udp"))[0].cells if cell.target == "dns-1"]
    assert {(cell.mark, cell.failing) for cell in dns} == {(Mark.PARTLY, ("udp",))}


def test_who_is_excused_is_marked_and_not_sick() -> None:
    mesh = Mesh(states={"node-2-pod": (State.DRAINING, "upgrade")})
    mesh.gone["node-2-pod"] = (0.0, 1e12)
    pod, _ = seen(mesh)
    assert pod.excused == {"node-2-pod": "node-2-pod draining: upgrade"}
    assert not any(cell.sick for cell in pod.cells)
    lines = drawn(MapView([pod]))
    assert "(node-2)" in lines[1]
    assert any("excused" in line for line in lines)


def test_whose_view_is_missing_has_questions_in_its_row() -> None:
    mesh = Mesh()
    mesh.stop("node-4", mesh.frozen, 5)
    pod = seen(mesh)[0]
    row = next(line for line in drawn(MapView([pod])) if line.startswith("node-4"))
    assert row.split() == ["node-4", *"????????"]
    assert {cell.failing for cell in pod.cells if cell.target == "node-4-pod"} == {("http", "udp")}


@pytest.mark.parametrize("width", [80, 160])
def test_five_members_have_figures(width: int) -> None:
    lines = drawn(MapView(seen(Mesh().drop("node-1", "node-2", 0.4))), width)
    assert lines[0] == "pod network  5 members, 40 paths, 1 not well"
    assert lines[1].split() == ["node-1", "node-2", "node-3", "node-4", "node-5", "api", "dns-1", "dns-2", "ingress"]
    assert "%" in lines[2] and "%" not in lines[3]
    assert max(map(len, lines)) <= width and len(lines) < 24


def test_no_colour_is_needed_to_read_it() -> None:
    found = seen(Mesh().cut("node-3"))
    assert not any("\x1b" in line for line in drawn(MapView(found)))
    assert any("\x1b[1;31m" in line for line in drawn(MapView(found), colour=True))


@pytest.mark.parametrize("width", [80, 160])
def test_of_200_members_only_what_is_not_well_is_shown(width: int) -> None:
    lines = drawn(MapView(large(True)), width)
    assert lines[0].startswith("pod network  200 members, 1000 paths, ")
    assert max(map(len, lines)) <= width and len(lines) < 60
    rows = [line.split()[0] for line in lines if line.startswith("node-")]
    assert "node-77" in rows and "node-150" in rows and "node-10" not in rows
    assert any("rows and" in line and line.endswith("all well") for line in lines)
    assert any(line.startswith("zone > zone") for line in lines)


def test_200_well_members_fit_a_screen_and_are_whole_where_there_is_room() -> None:
    assert len(drawn(MapView(large(False)), 80)) < 16
    whole = drawn(MapView(large(False), height=450), 220)
    assert sum(line[5:8].strip().isdigit() for line in whole) == 400


def test_a_height_is_kept() -> None:
    for height in (24, 50):
        assert len(drawn(MapView(large(True), height), 80)) <= height
        assert len(drawn(MapView(large(True)[:1], height), 80)) <= height


def test_more_trouble_than_room_shows_the_worst() -> None:
    mesh = Mesh(nodes=80, neighbours=5, period=SLOW, plain=()).drop("*", "*", 0.3).cut("node-9")
    lines = drawn(MapView(seen(mesh, 14.0)[:1], height=20), 72)
    assert max(map(len, lines)) <= 72 and len(lines) <= 20
    assert "named by what differs in node-…" in lines
    assert any(line.startswith("9 ") for line in lines)
    assert any("less sick or well" in line for line in lines)


def test_the_board_has_the_verdict_above_and_a_footer_below() -> None:
    found = basis(*Mesh().cut("node-3").run(AFTER).snapshots(AFTER))
    before = matrices(found)
    verdict = verdict_on(found, str)
    assert matrices(found) == before  # the search for the verdict leaves the evidence as it was
    lines = drawn(Board(verdict, before, "Ctrl-C ends"))
    assert lines[0].startswith("node-3 is cut off") and lines[-1] == "Ctrl-C ends"
    assert drawn(Board(verdict, ())) == drawn(Board(verdict, (), ""))


def test_numbers_in_names_are_in_order() -> None:
    assert sorted(["n10", "n9", "n", "m2"], key=natural) == ["m2", "n", "n9", "n10"]


def named(nodes: Sequence[str], targets: tuple[str, ...] = TARGETS) -> Matrix:
    """A pod network whose agents are called as a DaemonSet calls its pods, on these nodes."""
    members = tuple(Member(f"kubesonar-{n:05x}", node, ("10.0.0.1",), 7473) for n, node in enumerate(nodes))
    ends = [*(member.name for member in members), *targets]
    cells = tuple(PathCell(a.name, b, Mark.WELL, 0.0, 82e-6) for a in members for b in ends if a.name != b)
    return Matrix(Network.POD, members, targets, cells, {members[1].name: "cordoned"}, {})


@pytest.mark.parametrize("name", CLUSTERS)
@pytest.mark.parametrize("size", [3, 6, 9, 12])
def test_a_map_of_real_names_is_read_across_at_80_columns(name: str, size: int) -> None:
    lines = drawn(MapView([named(CLUSTERS[name][:size])]), 80)
    nodes = len(CLUSTERS[name][:size])
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 1 + 1 + 1 + nodes + 3  # title, what is cut, headings, rows, legend: nothing downwards
    first = next(number for number, line in enumerate(lines) if "api" in line)
    heads = lines[first].split()
    assert len(heads) == len(set(heads)) == nodes + len(TARGETS)
    rows = [line[: line.index("  ")] if "  " in line else line for line in lines[first + 1 : first + 1 + nodes]]
    assert len(set(rows)) == nodes
    assert "kubesonar-" not in "".join(lines)


def test_columns_without_room_for_names_have_the_numbers_of_rows() -> None:
    lines = drawn(MapView([named(CLUSTERS["AKS"][:6])]), 80)
    assert lines[1] == "named by what differs in aks-…"
    assert lines[2].split()[:7] == ["1", "(2)", "3", "4", "5", "6", "api"]
    assert [line.split("  ")[0] for line in lines[3:6]] == [
        "1 nodepool1-00",
        "(2 nodepool1-01)",
        "3 nodepool1-0a",
    ]


def test_names_that_fit_are_whole() -> None:
    lines = drawn(MapView([named(CLUSTERS["EKS"][:3])]), 250)
    assert lines[1].split()[0] == CLUSTERS["EKS"][0]
    assert "named by" not in "".join(lines)


def test_two_agents_on_a_node_are_told_apart() -> None:
    lines = drawn(MapView([named(["node-1", "node-1", "node-2"], ())]), 80)
    assert [line.split()[0] for line in lines[2:5]] == ["node-1/kubesonar-00000", "(node-1/kubesonar-00001)", "node-2"]


def test_figures_take_five_characters_and_do_not_lie() -> None:
    values = [10.0**n * digit for n in range(-7, 5) for digit in (1, 4.9, 9.949, 9.96, 9.9951)]
    assert max(len(duration(value)) for value in values) <= 5
    assert [duration(value) for value in (82e-6, 1.2e-3, 0.012, 2.5, 9e9)] == ["82µs", "1.2ms", "12ms", "2.5s", "9999s"]
    assert [share(value) for value in (0, 1e-9, 0.123, 0.9999, 1)] == ["0%", "<1%", "12%", "99%", "100%"]
