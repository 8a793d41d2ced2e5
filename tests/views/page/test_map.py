"""The map as a page: whole, by zones, and opened."""

from __future__ import annotations

import functools

import pytest

from kubesonar.model import Kind, Member, Network, State
from kubesonar.views.cells import Mark, PathCell
from kubesonar.views.matrix import Matrix, matrices
from kubesonar.views.page.cells import MapCell
from kubesonar.views.page.map import WHOLE, NetworkMap, map_model
from tests.core.mesh import Mesh
from tests.views.page.source import MeshSource

SLOW = dict.fromkeys((Kind.UDP, Kind.TCP, Kind.HTTP, Kind.ICMP, Kind.MTU, Kind.DNS), 4.0)


def cells(network: NetworkMap) -> dict[tuple[str, str], MapCell]:
    names = [heading.label for group in network.columns for heading in group.columns]
    rows = [row for group in network.rows for row in group.rows]
    return {
        (row.heading.label, name): cell
        for row in rows
        for name, cell in zip(names, row.cells, strict=True)
        if cell is not None
    }


def test_a_small_network_is_drawn_whole_by_zones() -> None:
    pod, host = map_model(matrices(MeshSource(Mesh(nodes=4).drop("node-1", "node-2", 0.4)).found)).networks
    assert [group.label for group in pod.columns] == ["a", "b", "targets"]
    assert [group.label for group in pod.rows] == ["a", "b"]
    assert (pod.members, pod.paths, pod.sick, host.network) == (4, 4 * 3 + 4 * 4, 1, "host")
    lossy = cells(pod)["node-1", "node-2"]
    assert lossy.look.startswith("l l") and lossy.text.endswith("%")
    assert "node-1 → node-2: " in lossy.title and " lost" in lossy.title and "; back: well, " in lossy.title
    assert cells(pod)["node-2", "node-1"].look.startswith("w r")
    assert ("node-1", "node-1") not in cells(pod)
    assert cells(pod)["node-1", "dns-1"].title.count("back") == 0


def test_whoever_is_dead_excused_or_unread_has_a_mark_of_its_own() -> None:
    mesh = Mesh(nodes=4, states={"node-3-pod": (State.DRAINING, "by ops")}).cut("node-4")
    (pod, _) = map_model(matrices(MeshSource(mesh, silent="node-4").found)).networks
    found = cells(pod)
    assert found["node-1", "node-3"].look == "e"
    assert (found["node-1", "node-4"].look, found["node-1", "node-4"].text) == ("d", "\N{MULTIPLICATION SIGN}")
    assert found["node-4", "node-1"].look == "u"
    headings = {row.heading.label: row.heading for group in pod.rows for row in group.rows}
    assert headings["node-3"].note.startswith("excused: ") and "by ops" in headings["node-3"].note
    assert headings["node-4"].note.startswith("not read: ")
    assert headings["node-4"].href == "/nodes/node-4"


def test_long_names_are_headings_by_what_differs() -> None:
    names = [f"ip-10-0-12-{n}.eu-central-1.compute.internal" for n in (34, 7)]
    members = tuple(Member(f"pod-{name}", name, (), 1) for name in names)
    (drawn,) = map_model([Matrix(Network.POD, members, (), (), {}, {})]).networks
    assert [heading.label for group in drawn.columns for heading in group.columns] == ["34", "7"]
    assert drawn.shared == "ip-10-0-12-….eu-central-1.compute.internal"


@functools.cache
def large() -> tuple[Matrix, ...]:
    nodes = WHOLE + 20
    mesh = Mesh(nodes=nodes, neighbours=4, period=SLOW, plain=()).cut("node-7").drop("node-70", "node-71", 0.5)
    return matrices(MeshSource(mesh, 14.0).found)


def test_a_large_network_is_drawn_by_zones_with_what_is_sick() -> None:
    pod = map_model(large()).networks[0]
    assert pod.rows == () and [row.link.text for row in pod.zones] == ["a", "b"]
    assert [row.members for row in pod.zones] == [40, 40]
    assert pod.sick == len(pod.sick_paths) > 0
    assert {"node-7"} <= {path.target.text for path in pod.sick_paths}
    assert pod.opened is None and pod.more_sick == 0


@pytest.mark.parametrize(("zone", "rows"), [("a", 40), ("nowhere", None)])
def test_a_zone_is_opened(zone: str, rows: int | None) -> None:
    opened = map_model(large(), zone).networks[0].opened
    assert (None if opened is None else len(opened.rows)) == rows
    if opened is not None:
        first = opened.rows[0]
        assert {cell.look[0] for cell in (*first.out, *first.into)} & {"d", "l"}


def test_a_large_zone_has_pages() -> None:
    members = tuple(Member(f"m-{n}", f"m-{n}", (), 1, zone="z & co") for n in range(250))
    matrix = Matrix(Network.POD, members, (), (PathCell("m-249", "m-3", Mark.DEAD),), {}, {})
    (first,) = map_model([matrix], "z & co").networks
    assert first.opened is not None
    assert [row.heading.name for row in first.opened.rows[:2]] == ["m-3", "m-249"]
    assert (first.opened.before, first.opened.after) == ("", "/map?zone=z%20%26%20co&first=100#pod")
    last = map_model([matrix], "z & co", 200).networks[0].opened
    assert last is not None and len(last.rows) == 50
    assert (last.before, last.after) == ("/map?zone=z%20%26%20co&first=100#pod", "")
    beyond = map_model([matrix], "z & co", 90_000).networks[0].opened
    assert beyond is not None and beyond.rows == ()
