"""Metrics of a doctor's restarts of DNS pods."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kubesonar.core.remedy.events import Eviction, RemedyReason, RemedyVerb, RoundReport
from kubesonar.views.metrics.exposition import Metric, Series

_DECISIONS = Metric(
    "kubesonar_dns_repair_decisions_total",
    "counter",
    "Decisions on DNS pods that look sick, one for each pod and round: restart, suggest or refuse, and why.",
    ("decision", "reason"),
)
_RESTARTS = Metric(
    "kubesonar_dns_restarts_total", "counter", "Restarts that were asked for, by what became of them.", ("result",)
)
_OUTCOMES = Metric(
    "kubesonar_dns_restart_outcomes_total", "counter", "Restarts that ended, by whether they helped.", ("helped",)
)
_GIVEN_UP = Metric(
    "kubesonar_dns_repair_given_up", "gauge", "1 where restarts do not help, so that none are made, 0 where not."
)
_PENDING = Metric(
    "kubesonar_dns_restart_pending", "gauge", "1 while the successor of a restarted pod is waited for, 0 where not."
)

REPAIR_METRICS = (_DECISIONS, _RESTARTS, _OUTCOMES, _GIVEN_UP, _PENDING)
"""All metrics in the order of the exposition."""


def repair_families(
    decisions: Mapping[tuple[RemedyVerb, RemedyReason], int],
    restarts: Mapping[Eviction, int],
    outcomes: Mapping[bool, int],
    report: RoundReport | None,
) -> Iterator[tuple[Metric, Series]]:
    """Yield the families; `report` is that of the last round, None before the first."""
    yield _DECISIONS, {(verb.value, reason.value): count for (verb, reason), count in decisions.items()}
    yield _RESTARTS, {(end.value,): count for end, count in restarts.items()}
    yield _OUTCOMES, {("true" if helped else "false",): count for helped, count in outcomes.items()}
    if report is not None:
        yield _GIVEN_UP, {(): int(report.given_up)}
        yield _PENDING, {(): int(bool(report.pending))}
