"""What an agent checks: what was found beside what was configured, within the budgets."""

from __future__ import annotations

import msgspec

from kubesonar.core.probing.budget import BudgetOptions
from kubesonar.core.probing.plan import PlanOptions, Rhythm, Target
from kubesonar.core.probing.planner import CheckPlanner, PlannerOptions
from kubesonar.model import Check, Kind, Member, Path, Roster

MEMBERS = tuple(Member(f"node-{i}", f"node-{i}", (f"10.0.0.{i}",), 7473) for i in range(1, 101))
ROSTER = Roster("1", MEMBERS)
INGRESS = Check("http/ingress/ingress", Kind.HTTP, Path.INGRESS, "ingress", "10.9.0.1", request="http://found/")


def planned(options: PlannerOptions, *found: Check, roster: Roster = ROSTER) -> tuple[CheckPlanner, dict[str, Check]]:
    planner = CheckPlanner(options)
    planner.found(found)
    return planner, {check.id: check for check in planner.checks(roster, MEMBERS[0])}


def test_what_was_found_is_checked_until_it_is_gone() -> None:
    planner, checks = planned(PlannerOptions(), INGRESS)
    assert INGRESS.id in checks
    assert not planner.found((INGRESS,))
    assert planner.found(())
    assert INGRESS.id not in {check.id for check in planner.checks(ROSTER, MEMBERS[0])}


def test_a_configured_target_replaces_a_found_one() -> None:
    given = Target(name="ingress", kind=Kind.HTTP, path=Path.INGRESS, request="http://given/")
    _, checks = planned(PlannerOptions(targets=(given,)), INGRESS)
    assert checks[INGRESS.id].request == "http://given/"


def test_plain_targets_keep_to_the_budgets_too_and_the_longest_period_is_said() -> None:
    given = Target(name="mine", kind=Kind.HTTP, path=Path.INGRESS, request="http://10.9.0.2/", period=2.0)
    planner, checks = planned(
        PlannerOptions(targets=(given,), budget=BudgetOptions(agents=3000, ingress_longest=3600)), INGRESS
    )
    loads = [3000 / checks[name].period for name in (INGRESS.id, "http/ingress/mine")]
    assert round(sum(loads), 6) == 20
    assert planner.figures.agents == 3000
    assert planner.figures.periods["http", "ingress"] == max(check.period for check in checks.values())


def test_fewer_neighbours_where_they_would_fill_connection_tracking() -> None:
    options = PlannerOptions(neighbours=90, plan=PlanOptions(families=(4,)), budget=BudgetOptions(conntrack=1000))
    planner, checks = planned(options, INGRESS)
    neighbours = {check.target for check in checks.values() if check.path is Path.POD}
    assert 10 < len(neighbours) < 90
    assert planner.figures.fewer_neighbours == len(neighbours)
    assert 900 < planner.figures.conntrack <= 1000
    roomy = msgspec.structs.replace(options, budget=BudgetOptions(conntrack=100_000))
    planner, checks = planned(roomy)
    assert len({check.target for check in checks.values() if check.path is Path.POD}) == 90
    assert planner.figures.fewer_neighbours is None


def test_the_own_responder_is_probed_at_its_own_port_whatever_the_roster_says() -> None:
    planner = CheckPlanner(PlannerOptions(loopback=("::1", 7474)))
    (own,) = (check for check in planner.checks(ROSTER, MEMBERS[0]) if check.path is Path.LOOPBACK)
    assert (own.kind, own.target, own.address, own.port) == (Kind.UDP, "node-1", "::1", 7474)
    assert (own.period, own.timeout) == (2.5, 1.0)
    never = PlannerOptions(plan=PlanOptions(udp=Rhythm(period=0, timeout=1)))
    assert {check.path: check.period for check in CheckPlanner(never).checks(ROSTER, MEMBERS[0])}[Path.LOOPBACK] == 10
