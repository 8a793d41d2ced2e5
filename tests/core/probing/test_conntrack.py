"""Connection tracking: what checks keep, and how many neighbours fit."""

from __future__ import annotations

import pytest

from kubesonar.core.probing import conntrack
from kubesonar.core.probing.plan import PlanOptions, plan
from kubesonar.model import Check, Kind, Member, Path, Roster

MEMBERS = tuple(Member(f"node-{i}", f"node-{i}", (f"10.0.0.{i}", f"fd00::{i}"), 7473) for i in range(1, 42))


def checks(neighbours: int) -> list[Check]:
    return plan(Roster("1", MEMBERS), MEMBERS[0], neighbours, PlanOptions(families=(4,)), ())


@pytest.mark.parametrize(
    ("kind", "request_", "period", "kept"),
    [
        (Kind.UDP, "", 2.5, 9.0),  # 8 ports, and the one replaced last
        (Kind.TCP, "", 10.0, 12.0),  # 120 s of TIME_WAIT
        (Kind.HTTP, "http://10.0.0.1/", 300.0, 0.4),
        (Kind.DNS, "a.b A udp", 10.0, 3.0),
        (Kind.DNS, "a.b A tcp", 10.0, 12.0),
        (Kind.ICMP, "", 5.0, 1.5),
        (Kind.MTU, "", 60.0, 9.0),  # the ports of UDP
    ],
)
def test_what_one_check_keeps(kind: Kind, request_: str, period: float, kept: float) -> None:
    one = Check("x", kind, Path.SERVICE, "t", "10.0.0.1", period=period, request=request_)
    assert conntrack.entries(one, 8, 120.0) == pytest.approx(kept)


def test_an_mtu_check_beside_trains_keeps_only_what_it_needs_to_search() -> None:
    trains = [Check(f"udp/{at}", Kind.UDP, Path.POD, "t", at, period=2.5) for at in ("10.0.0.1", "10.0.0.2")]
    size = Check("mtu", Kind.MTU, Path.POD, "t", "10.0.0.1", period=60.0)
    assert conntrack.total_entries([*trains, size], 8, 120.0) == pytest.approx(2 * 9.0 + 3.0)


def test_all_neighbours_where_they_fit() -> None:
    assert conntrack.affordable_neighbours(checks(10), 4000, 8, 120.0) is None


def test_as_many_neighbours_as_fit_beside_the_rest() -> None:
    allowed = conntrack.affordable_neighbours(checks(40), 1000, 8, 120.0)
    assert allowed is not None
    assert 10 < allowed < 40
    assert conntrack.total_entries(checks(allowed), 8, 120.0) <= 1000
    assert conntrack.total_entries(checks(allowed + 1), 8, 120.0) > 1000


def test_one_neighbour_at_least() -> None:
    rest = [Check(f"x{i}", Kind.TCP, Path.EXTERNAL, f"t{i}", "10.9.0.1", period=1.0) for i in range(10)]
    assert conntrack.affordable_neighbours(checks(10) + rest, 100, 8, 120.0) == 1
