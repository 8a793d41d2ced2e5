"""What this agent checks and how often: neighbours, plain targets, what the cluster depends on; within the budgets."""

from __future__ import annotations

import logging

import msgspec

from kubesonar.apps.agent.options import AgentOptions
from kubesonar.core.probing import conntrack
from kubesonar.core.probing.budget import consumers_of, fit_to_budget
from kubesonar.core.probing.plan import of_target, plan
from kubesonar.model import Check, Member, Path, Roster

_LOG = logging.getLogger("kubesonar.agent")
_MEMBER_PATHS = frozenset({Path.POD, Path.HOST, Path.LOOPBACK})


class InForce(msgspec.Struct, frozen=True):
    """By how many agents the budgets are divided, how many conntrack entries the checks keep on this node, and the
    longest period (s) of plain targets by kind and path."""

    agents: int = 1
    conntrack: float = 0.0
    periods: dict[tuple[str, ...], float] = msgspec.field(default_factory=dict)


class Planning:
    """`dependencies` are the checks of the cluster as found; `names` how many names a look-up may try. `in_force` tells
    of the last plan."""

    def __init__(self, options: AgentOptions, names: int = 1) -> None:
        self.in_force = InForce()
        self.dependencies: tuple[Check, ...] = ()
        self._options = options
        self._names = names
        self._fewer: int | None = None
        self._given = {of_target(target).id for target in options.targets}

    def checks(self, roster: Roster, me: Member) -> list[Check]:
        """All checks, with the periods that the budgets allow."""
        options = self._options
        among = consumers_of(roster, options.budget, self._names)
        checks = fit_to_budget(self._wanted(roster, me, options.schedule.members), among, options.budget)
        fewer = conntrack.affordable_neighbours(
            checks, options.budget.conntrack, options.udp.ports, options.udp.rebind, self._names
        )
        if fewer is not None:
            checks = fit_to_budget(self._wanted(roster, me, fewer), among, options.budget)
        self._tell(fewer)
        kept = conntrack.total_entries(checks, options.udp.ports, options.udp.rebind, self._names)
        self.in_force = InForce(among.agents, kept, _periods(checks))
        return checks

    def _wanted(self, roster: Roster, me: Member, k: int) -> list[Check]:
        """What the file of targets says goes before what was found."""
        found = [check for check in self.dependencies if check.id not in self._given]
        return plan(roster, me, k, self._options.plan, self._options.targets) + found

    def _tell(self, fewer: int | None) -> None:
        if fewer != self._fewer and fewer is not None:
            _LOG.warning(
                "fewer neighbours are probed, to keep to budget.conntrack",
                extra={"neighbours": fewer, "limit": self._options.budget.conntrack},
            )
        self._fewer = fewer


def _periods(checks: list[Check]) -> dict[tuple[str, ...], float]:
    periods: dict[tuple[str, ...], float] = {}
    for check in checks:
        if check.path not in _MEMBER_PATHS:
            key = (check.kind.value, check.path.value)
            periods[key] = max(periods.get(key, 0.0), check.period)
    return periods
