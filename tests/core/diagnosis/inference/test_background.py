from __future__ import annotations

import pytest

from kubesonar.core.diagnosis.evidence import Cell, Quiet
from kubesonar.core.diagnosis.inference.background import BACKGROUND, Background
from kubesonar.core.diagnosis.parts.traversal import Aspect, End, Traversal, Way
from kubesonar.model import Kind, Network, Path

ENDS = [End(f"node-{n}-pod", f"node-{n}", "a", Network.POD) for n in range(1, 4)]
PAIRS = [(source, target) for source in ENDS for target in ENDS if source != target]


def cell(ends: tuple[End, End], kind: Kind, way: Way, total: int, bad: int) -> Cell:
    packets = 8 if kind is Kind.UDP else 1
    found = Cell(Traversal(*ends, kind, Path.POD, way, Aspect.REACH), packets, 1)
    for number in range(total):
        found.add(float(number), 0, number < bad, packets, 1)
    return found


def test_pairs_that_are_asked_more_because_they_are_in_doubt_do_not_make_their_loss_usual() -> None:
    quiet = [cell(ends, Kind.ICMP, Way.ROUND, 12, 0) for ends in PAIRS[2:]]
    doubted = [cell(ends, Kind.ICMP, Way.ROUND, 67, 20) for ends in PAIRS[:2]]
    cells = quiet + doubted
    assert Background(cells).odds(cells[-1]).bad == BACKGROUND


def test_connections_that_many_pairs_lose_are_not_usual_where_trains_lose_nothing() -> None:
    trains = [cell(ends, Kind.UDP, Way.FORWARD, 250, 0) for ends in PAIRS]
    well = [cell(ends, Kind.TCP, Way.ROUND, 12, 0) for ends in PAIRS[:1]]
    lossy = [cell(ends, Kind.TCP, Way.ROUND, 26, 8) for ends in PAIRS[1:]]
    assert Background([*trains, *well, *lossy]).odds(lossy[0]).bad < 0.01


def test_what_all_pairs_lose_is_usual() -> None:
    cells = [cell(ends, Kind.ICMP, Way.ROUND, 60, 6) for ends in PAIRS]
    assert 0.1 <= Background(cells).odds(cells[0]).bad <= 0.15


def test_trains_to_a_member_that_cannot_be_read_do_not_say_what_is_usual() -> None:
    one_way = [cell(ends, Kind.UDP, Way.FORWARD, 24, 0) for ends in PAIRS if ends[1] is not ENDS[0]]
    unread = [cell(ends, Kind.UDP, Way.ROUND, 24, 24) for ends in PAIRS if ends[1] is ENDS[0]]
    assert Background(one_way + unread).odds(unread[0]).bad == BACKGROUND


def test_pairs_that_were_well_for_a_minute_count_with_what_they_lost_before() -> None:
    cells = [cell(ends, Kind.UDP, Way.FORWARD, 250, 10) for ends in PAIRS]
    quiet = Quiet(8, Network.POD, False, False, 2, 548, 18)
    assert 0.04 <= Background(cells, [quiet]).odds(cells[0]).bad <= 0.06


@pytest.mark.parametrize(
    ("bad", "least", "most"), [((12, 6, 14, 15, 9), 0.035, 0.06), ((45, 25, 40, 43, 36), 0.0, 0.02)]
)
def test_the_pair_that_lost_least_of_few_trials_by_chance_does_not_say_alone_what_is_usual(
    bad: tuple[int, ...], least: float, most: float
) -> None:
    counts = zip(PAIRS, (316, 170, 264, 290, 248), bad, strict=False)
    cells = [cell(ends, Kind.UDP, Way.FORWARD, total, lost) for ends, total, lost in counts]
    quiet = Quiet(8, Network.POD, False, False, 2, 206, 2)
    assert least <= Background(cells, [quiet]).odds(cells[0]).bad <= most


@pytest.mark.parametrize("newest", ENDS)
@pytest.mark.parametrize(("trials", "answers"), [(8, True), (24, False)])
def test_pairs_that_are_known_for_a_minute_only_do_not_make_what_others_lose_a_fault(
    newest: End, trials: int, answers: bool
) -> None:
    """An agent that has just started, or cannot be read itself, where each train is bad in one case of twenty."""
    new = [ends for ends in PAIRS if ends[0] is newest or (answers and ends[1] is newest)]
    old = [ends for ends in PAIRS if newest not in ends]
    cells = [cell(ends, Kind.UDP, Way.FORWARD, trials, 0) for ends in new]
    cells += [cell(ends, Kind.UDP, Way.FORWARD, 760, 36) for ends in old]
    assert 0.03 <= Background(cells).odds(cells[-1]).bad <= 0.08


@pytest.mark.parametrize("sick", ENDS)
def test_what_little_is_lost_on_the_way_into_one_of_three_nodes_is_not_usual(sick: End) -> None:
    """0.5 % of packets over ten minutes, of which trains to the node lose some, and the answers to its own."""
    cells = [
        cell(ends, Kind.UDP, way, 250, 10 if receiver is sick else 0)
        for ends in PAIRS
        for way, receiver in ((Way.FORWARD, ends[1]), (Way.BACK, ends[0]))
    ]
    assert Background(cells).odds(cells[0]).bad == BACKGROUND


FAR = End("node-4-pod", "node-4", "b", Network.POD)
BETWEEN_ZONES = [(near, FAR) for near in ENDS[:2]] + [(FAR, near) for near in ENDS[:2]]
SAME_ZONE = [PAIRS[0], (ENDS[1], ENDS[0])]


@pytest.mark.parametrize("bad", [10, 30, 60])
@pytest.mark.parametrize(("sick", "well"), [(SAME_ZONE, BETWEEN_ZONES), (BETWEEN_ZONES, SAME_ZONE)])
def test_where_all_pairs_within_a_zone_or_between_two_are_sick_the_others_say_what_is_usual(
    bad: int, sick: list[tuple[End, End]], well: list[tuple[End, End]]
) -> None:
    cells = [cell(ends, Kind.UDP, Way.FORWARD, 60, bad) for ends in sick]
    cells += [cell(ends, Kind.UDP, Way.FORWARD, 60, 0) for ends in well]
    assert Background(cells).odds(cells[0]).bad < 0.06


def test_a_little_more_may_be_lost_between_zones_than_within() -> None:
    cells = [cell(ends, Kind.UDP, Way.FORWARD, 1000, 100) for ends in SAME_ZONE]
    cells += [cell(ends, Kind.UDP, Way.FORWARD, 1000, 120) for ends in BETWEEN_ZONES]
    found = Background(cells)
    assert found.odds(cells[0]).bad == pytest.approx(0.13, rel=0.02)
    assert found.odds(cells[-1]).bad == pytest.approx(0.156, rel=0.02)


HOSTS = [End(f"node-{n}-host", f"node-{n}", "a", Network.HOST) for n in range(1, 4)]


def test_what_few_trains_of_one_network_leave_open_the_other_network_says() -> None:
    """Two nodes, of which one's member in the pod network cannot be read: of its trains alone both ways are told apart,
    and by chance none lost anything."""
    hosts = [cell((HOSTS[0], HOSTS[1]), Kind.UDP, way, 160, 7) for way in (Way.FORWARD, Way.BACK)]
    pods = [cell(PAIRS[0], Kind.UDP, Way.FORWARD, 24, 0)]
    unread = cell((ENDS[1], ENDS[0]), Kind.UDP, Way.ROUND, 24, 4)
    assert 0.08 <= Background([*hosts, *pods, unread]).odds(unread).bad <= 0.16


def test_a_network_that_is_known_well_is_not_held_to_lose_what_the_other_does() -> None:
    hosts = [cell((start, end), Kind.UDP, Way.FORWARD, 500, 0) for start in HOSTS for end in HOSTS if start != end]
    pods = [cell(ends, Kind.UDP, Way.FORWARD, 500, 40) for ends in PAIRS]
    assert Background([*hosts, *pods]).odds(hosts[0]).bad <= 0.0015


@pytest.mark.parametrize("kind", [Kind.TCP, Kind.ICMP])
def test_few_connections_that_lost_nothing_by_chance_do_not_say_that_none_is_lost(kind: Kind) -> None:
    trains = [cell(ends, Kind.UDP, Way.FORWARD, 250, 20) for ends in PAIRS]
    few = [cell(ends, kind, Way.ROUND, 24, 5 * (ends == PAIRS[-1])) for ends in PAIRS]
    assert 0.015 <= Background([*trains, *few]).odds(few[-1]).bad <= 0.04


def test_what_few_trains_within_a_zone_leave_open_those_between_zones_say() -> None:
    """The member of the only other node in its zone cannot be read, in a mesh with one network."""
    far = [cell(ends, Kind.UDP, way, 250, 10) for ends in BETWEEN_ZONES for way in (Way.FORWARD, Way.BACK)]
    near = [cell(PAIRS[0], Kind.UDP, Way.FORWARD, 24, 0)]
    unread = cell((ENDS[1], ENDS[0]), Kind.UDP, Way.ROUND, 250, 20)
    ping = cell((ENDS[1], ENDS[0]), Kind.ICMP, Way.ROUND, 12, 1)
    found = Background([*far, *near, unread, ping])
    assert 0.08 <= found.odds(unread).bad <= 0.13
    assert 0.01 <= found.odds(ping).bad <= 0.03
