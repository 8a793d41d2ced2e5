"""Adds up the reports of several members about one."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import msgspec

from kubesonar.core.membership.messages import WITNESSES, Reachability, Seen
from kubesonar.model import Condition

CONDITIONS = {
    Reachability.SILENT: Condition.DEAD,
    Reachability.REFUSED: Condition.GONE,
    Reachability.STRANGER: Condition.GONE,
    Reachability.KERNEL: Condition.FROZEN,
}
"""The condition that follows where enough members got the same result: an agent that is gone leaves a host that
refuses, or another member has its address, and a host that answers for an agent that does not answer is no dead host.
"""

_ANSWERED = frozenset({Reachability.KERNEL, Reachability.REFUSED, Reachability.STRANGER})

_ROUNDING = 1e-9


class ProbeReport(msgspec.Struct, frozen=True, gc=False):
    """The report of the member `name` in `zone`; `weight` is 1, or less where it was starved itself."""

    name: str
    zone: str
    reachability: Reachability
    weight: float


def agree(reports: Collection[ProbeReport], witnesses: int, zones: int) -> Condition | None:
    """The condition on which at least `witnesses` (by weight) of at least so many zones agree: BACK as soon as one
    reached the agent, DEAD only if nobody reached the host either. None if they do not agree, or too few can tell."""
    results = {report.reachability for report in reports}
    if Reachability.AGENT in results:
        return Condition.BACK
    for reachability, condition in CONDITIONS.items():
        if reachability is Reachability.SILENT and results & _ANSWERED:
            continue
        same = [report for report in reports if report.reachability is reachability]
        enough = sum(report.weight for report in same) >= witnesses - _ROUNDING
        if enough and len({report.zone for report in same}) >= zones:
            return condition
    return None


def named_witnesses(reports: Iterable[ProbeReport]) -> tuple[Seen, ...]:
    """The first `WITNESSES` reports that can tell, as a claim names them."""
    seen = [Seen(one.name, one.reachability) for one in reports if one.reachability in CONDITIONS]
    return tuple(seen[:WITNESSES])
