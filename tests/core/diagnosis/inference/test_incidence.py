from __future__ import annotations

import pytest

from kubesonar.core.diagnosis.evidence import Cell
from kubesonar.core.diagnosis.inference.incidence import Incidence, load_of
from kubesonar.core.diagnosis.parts.table import PARTS, crossed
from kubesonar.core.diagnosis.parts.traversal import Aspect, End, Traversal, Way
from kubesonar.model import Kind, Network, Path

ENDS = [End(f"node-{n}-pod", f"node-{n}", "ab"[n % 2], Network.POD) for n in range(1, 5)]
SERVICE = End("dns-service", behind=(End("dns-1", "node-3", "b"), End("dns-2", "node-9", "a")))


def routes() -> list[Traversal]:
    members = [
        Traversal(source, target, Kind.UDP, Path.POD, way, Aspect.REACH)
        for source in ENDS
        for target in ENDS
        for way in Way
        if source != target
    ]
    asked = [Traversal(end, SERVICE, Kind.DNS, Path.DNS_SERVICE, Way.ROUND, Aspect.REACH, 53) for end in ENDS]
    plain = [Traversal(end, End("api"), Kind.HTTP, Path.API_DIRECT, Way.ROUND, Aspect.REACH, 443) for end in ENDS]
    named = [Traversal(end, End("names"), Kind.DNS, Path.EXTERNAL, Way.ROUND, Aspect.RESOLVE) for end in ENDS]
    return members + asked + plain + named


def test_the_cells_of_a_part_are_those_that_cross_it() -> None:
    cells = [Cell(route, 1, 3) for route in routes()]
    incidence = Incidence(cells, lambda words: ())
    expected: dict[tuple[int, str], list[int]] = {}
    for index, cell in enumerate(cells):
        for key in crossed(cell.route):
            expected.setdefault(key, []).append(index)
    assert {key: incidence.members(key) for key in expected} == expected


def test_a_server_behind_a_service_is_crossed_in_part() -> None:
    cells = [Cell(route, 1, 3) for route in routes()]
    incidence = Incidence(cells, lambda words: ())
    row = next(index for index, part in enumerate(PARTS) if (part.name, part.variant) == ("dns_server", ""))
    assert {load.share for _, load in incidence.crossings((row, "dns-1"))} == {0.5}


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize(("name", "subject"), [("network", "all nodes"), ("dns_node", "node-1>dns")])
def test_what_stays_on_a_node_crosses_nothing_beyond_it_whichever_cell_comes_first(
    first: int, name: str, subject: str
) -> None:
    asking = End("node-1-host", "node-1", "a", Network.HOST)
    servers = [End("dns-1", "node-1", "a"), End("dns-2", "node-2", "a")]
    path, aspect = Path.DNS_POD, Aspect.REACH
    cells = [Cell(Traversal(asking, server, Kind.DNS, path, Way.ROUND, aspect, 53), 1, 3) for server in servers]
    incidence = Incidence(cells, lambda words: ())
    rows = [index for index, part in enumerate(PARTS) if part.name == name and part.share is not None]
    for row in rows:
        order = [first, 1 - first]
        loads = {index: incidence.load((row, subject), index).share for index in order}
        assert loads == {0: 0.0, 1: 1.0}
    assert rows


def test_the_servers_of_a_big_service_are_left_out() -> None:
    servers = tuple(End(f"agent-{n}", f"node-{n}", "a", Network.POD) for n in range(1, 30))
    asked = Traversal(ENDS[0], End("service", behind=servers), Kind.HTTP, Path.SERVICE, Way.ROUND, Aspect.REACH, 80)
    subjects = {subject for _, subject in crossed(asked)}
    assert "node-1" in subjects
    assert "node-20" not in subjects


def test_a_server_fails_whole_requests_where_a_way_loses_single_packets() -> None:
    asked = Cell(Traversal(ENDS[0], End("api"), Kind.HTTP, Path.API_DIRECT, Way.ROUND, Aspect.REACH, 443), -3, 3)
    by_name = {part.name: part for part in PARTS}
    assert load_of(by_name["api_server"], asked, "api").packets == 1
    assert load_of(by_name["pair"], asked, "node-1>api").packets == -3
