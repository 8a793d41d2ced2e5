"""What an agent checks: what was found beside what was told, within the budgets."""

from __future__ import annotations

import msgspec

from kubesonar.apps.agent.check_planner import Planning
from kubesonar.apps.agent.options import AgentOptions
from kubesonar.core.probing.budget import BudgetOptions
from kubesonar.core.probing.plan import PlanOptions, Target
from kubesonar.core.probing.schedule import ScheduleOptions
from kubesonar.model import Check, Kind, Member, Path, Roster

MEMBERS = tuple(Member(f"node-{i}", f"node-{i}", (f"10.0.0.{i}",), 7473) for i in range(1, 101))
ROSTER = Roster("1", MEMBERS)
INGRESS = Check("http/ingress/ingress", Kind.HTTP, Path.INGRESS, "ingress", "10.9.0.1", request="http://found/")


def planned(options: AgentOptions, *found: Check, roster: Roster = ROSTER) -> tuple[Planning, dict[str, Check]]:
    planning = Planning(options)
    planning.dependencies = found
    return planning, {check.id: check for check in planning.checks(roster, MEMBERS[0])}


def test_what_was_found_is_checked_until_it_is_gone() -> None:
    planning, checks = planned(AgentOptions(), INGRESS)
    assert INGRESS.id in checks
    planning.dependencies = ()
    assert INGRESS.id not in {check.id for check in planning.checks(ROSTER, MEMBERS[0])}


def test_a_target_that_was_told_goes_before_what_was_found() -> None:
    told = Target(name="ingress", kind=Kind.HTTP, path=Path.INGRESS, request="http://told/")
    _, checks = planned(AgentOptions(targets=(told,)), INGRESS)
    assert checks[INGRESS.id].request == "http://told/"


def test_plain_targets_keep_to_the_budgets_too_and_the_longest_period_is_said() -> None:
    told = Target(name="mine", kind=Kind.HTTP, path=Path.INGRESS, request="http://10.9.0.2/", period=2.0)
    planning, checks = planned(AgentOptions(targets=(told,), budget=BudgetOptions(agents=3000)), INGRESS)
    loads = [3000 / checks[name].period for name in (INGRESS.id, "http/ingress/mine")]
    assert round(sum(loads), 6) == 20
    assert planning.in_force.agents == 3000
    assert planning.in_force.periods["http", "ingress"] == max(check.period for check in checks.values())


def test_fewer_neighbours_where_they_would_fill_connection_tracking() -> None:
    options = AgentOptions(
        schedule=ScheduleOptions(members=90), plan=PlanOptions(families=(4,)), budget=BudgetOptions(conntrack=1000)
    )
    planning, checks = planned(options, INGRESS)
    neighbours = {check.target for check in checks.values() if check.path is Path.POD}
    assert 10 < len(neighbours) < 90
    assert 900 < planning.in_force.conntrack <= 1000
    roomy = msgspec.structs.replace(options, budget=BudgetOptions(conntrack=100_000))
    assert len({check.target for check in planned(roomy)[1].values()}) == 90
