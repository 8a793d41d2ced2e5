"""All checks of one agent: its neighbours, plain targets and what the cluster depends on, within the budgets."""

from __future__ import annotations

import msgspec

from kubesonar.core.probing import conntrack
from kubesonar.core.probing.budget import BudgetOptions, Spare, consumers_of, fit_to_budget, spare
from kubesonar.core.probing.plan import PlanOptions, Target, of_loopback, of_target, plan
from kubesonar.model import Check, Member, Path, Roster

_MEMBER_PATHS = frozenset({Path.POD, Path.HOST, Path.LOOPBACK})


class PlannerOptions(msgspec.Struct, frozen=True, kw_only=True):
    """`neighbours` is how many members are probed where conntrack has room for all of them, `names` how many names a
    look-up may try (1 and the search list), `loopback` the IP address and port at which the own responder is probed.
    `ports` and `rebind` are those of `UdpOptions`."""

    plan: PlanOptions = PlanOptions()
    targets: tuple[Target, ...] = ()
    budget: BudgetOptions = BudgetOptions()
    neighbours: int = 10
    ports: int = 8
    rebind: float = 120.0
    names: int = 1
    loopback: tuple[str, int] = ("127.0.0.1", 7473)


class PlanFigures(msgspec.Struct, frozen=True):
    """Figures of the last plan: the agents by which the budgets were divided, the conntrack entries that the checks
    keep on this node, the longest period (seconds) of plain targets by kind and path, and the neighbours that are
    probed where conntrack has no room for all of them (else None)."""

    agents: int = 1
    conntrack: float = 0.0
    periods: dict[tuple[str, ...], float] = msgspec.field(default_factory=dict)
    fewer_neighbours: int | None = None


class CheckPlanner:
    """Makes the plan anew for each roster. `figures` are those of the last plan, `spare` what it leaves of the
    budgets."""

    def __init__(self, options: PlannerOptions) -> None:
        self.figures = PlanFigures()
        self.spare = Spare()
        self._options = options
        self._found: tuple[Check, ...] = ()
        self._given = {of_target(target).id for target in options.targets}

    def found(self, checks: tuple[Check, ...]) -> bool:
        """Take over the checks of what the cluster depends on. Returns whether they differ from those before."""
        differs = checks != self._found
        self._found = checks
        return differs

    def checks(self, roster: Roster, me: Member) -> list[Check]:
        """Return all checks of the member `me`, with the periods that the budgets allow."""
        options = self._options
        pool = (options.ports, options.rebind, options.names)
        checks = self._affordable(roster, me, options.neighbours)
        fewer = conntrack.affordable_neighbours(checks, options.budget.conntrack, *pool)
        if fewer is not None:
            checks = self._affordable(roster, me, fewer)
        among = consumers_of(roster, options.budget, options.names)
        kept = conntrack.total_entries(checks, *pool)
        self.figures = PlanFigures(among.agents, kept, _periods(checks), fewer)
        self.spare = spare(checks, among, options.budget)
        return [*checks, of_loopback(me.name, *options.loopback, options.plan.udp)]

    def _affordable(self, roster: Roster, me: Member, neighbours: int) -> list[Check]:
        """Checks of so many neighbours and of all targets; a configured target replaces a found one of the same id."""
        options = self._options
        found = [check for check in self._found if check.id not in self._given]
        wanted = plan(roster, me, neighbours, options.plan, options.targets) + found
        return fit_to_budget(wanted, consumers_of(roster, options.budget, options.names), options.budget)


def _periods(checks: list[Check]) -> dict[tuple[str, ...], float]:
    periods: dict[tuple[str, ...], float] = {}
    for check in checks:
        if check.path not in _MEMBER_PATHS:
            key = (check.kind.value, check.path.value)
            periods[key] = max(periods.get(key, 0.0), check.period)
    return periods
