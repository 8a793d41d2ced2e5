"""Buckets of what budgets leave to one agent, drawn on by checks that are made besides the usual ones."""

from __future__ import annotations

from kubesonar.core.probing.budget import Spare

_AT_ONCE = 3.0
"""Seconds for which what a budget leaves is stored, or as long as one check takes. Higher, and all agents together may
exceed the budget for a moment; lower, and less is asked at once."""


class SpareBuckets:
    """Buckets of what the budgets leave, each full for as many checks as may be made at once."""

    def __init__(self, spare: Spare, now: float) -> None:
        self._spare = spare
        self._most = {name: _AT_ONCE * rate for name, rate in spare.rates.items()}
        for cost in spare.costs.values():
            for name in cost.keys() & self._most.keys():
                self._most[name] = max(self._most[name], cost[name])
        self._left = dict.fromkeys(self._most, 0.0)
        self._awaited: set[str] = set()
        self._filled = now

    def fill(self, now: float) -> None:
        """Add what the budgets have left since the last time; who waits is served in order from here on."""
        for budget, rate in self._spare.rates.items():
            self._left[budget] = min(self._left[budget] + rate * (now - self._filled), self._most[budget])
        self._filled = now
        self._awaited = set()

    def pay(self, name: str) -> bool:
        """Draw what the check of that id costs; False, and nothing is drawn, where a budget does not have it, or one
        that was before it waits for that budget."""
        cost = self._spare.costs.get(name, {})
        lacking = {budget for budget, each in cost.items() if self._left.get(budget, 0.0) < each}
        if lacking or self._awaited.intersection(cost):
            self._awaited |= lacking
            return False
        for budget, each in cost.items():
            self._left[budget] -= each
        return True
