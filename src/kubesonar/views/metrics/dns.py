"""Metrics of a doctor's looks at DNS."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from statistics import median

from kubesonar.core.dns_check.results import DnsLook, DnsOutcome, DnsVerdict
from kubesonar.core.dns_check.states import TransportCondition, states_of
from kubesonar.core.telemetry.instruments import Labels
from kubesonar.model import Health
from kubesonar.views.metrics.exposition import Metric, Series

_HEALTHY = Metric("kubesonar_dns_healthy", "gauge", "1 where DNS is healthy, 0 where not; absent where unknown.")
_WELL = Metric(
    "kubesonar_dns_server_well",
    "gauge",
    "1 where a server answers the cluster's own names rightly by udp or tcp, 0 where not.",
    ("server", "role", "node", "transport"),
)
_ANSWER = Metric(
    "kubesonar_dns_answer_seconds",
    "gauge",
    "Median time to a right answer of a server in the last look.",
    ("server", "role", "node", "transport"),
    "seconds",
)
_FINDINGS = Metric("kubesonar_dns_findings", "gauge", "Findings of the last look.", ("part", "fault"))
_QUESTIONS = Metric("kubesonar_dns_questions_total", "counter", "Questions asked, by outcome.", ("role", "outcome"))
_LOOKS = Metric("kubesonar_dns_looks_total", "counter", "Looks that were made.")
_FAILED = Metric("kubesonar_dns_looks_failed_total", "counter", "Looks in which nothing could be asked.")
_AT = Metric("kubesonar_dns_look_timestamp_seconds", "gauge", "When the last look was made.", (), "seconds")
_VANTAGE = Metric("kubesonar_dns_vantage", "gauge", "Number of the standpoint of the last look.")

DNS_METRICS = (_HEALTHY, _WELL, _ANSWER, _FINDINGS, _QUESTIONS, _LOOKS, _FAILED, _AT, _VANTAGE)
"""All metrics in the order of the exposition."""


def dns_families(
    latest: tuple[DnsLook, DnsVerdict] | None, questions: Mapping[Labels, float], looks: int, failed: int
) -> Iterator[tuple[Metric, Series]]:
    """Yield the families. `questions` are by role and outcome."""
    if latest is not None:
        yield from _of_look(*latest)
    yield _QUESTIONS, questions
    yield _LOOKS, {(): looks}
    yield _FAILED, {(): failed}


def _of_look(look: DnsLook, verdict: DnsVerdict) -> Iterator[tuple[Metric, Series]]:
    if verdict.health is not Health.UNKNOWN:
        yield _HEALTHY, {(): int(verdict.health is Health.GOOD)}
    well: dict[Labels, float] = {}
    for state in states_of(look.results):
        for transport, found in (("udp", state.udp), ("tcp", state.tcp)):
            if found.condition is not TransportCondition.NOT_ASKED:
                well[_labels(state.server.name, state.server.role, state.server.node, transport)] = int(
                    found.condition is TransportCondition.WELL
                )
    yield _WELL, well
    yield _ANSWER, _times(look)
    findings: dict[Labels, float] = {}
    for finding in verdict.findings:
        findings[finding.part, finding.fault] = findings.get((finding.part, finding.fault), 0) + 1
    yield _FINDINGS, findings
    yield _AT, {(): look.at}
    yield _VANTAGE, {(): look.vantage}


def _times(look: DnsLook) -> dict[Labels, float]:
    times: dict[Labels, list[float]] = {}
    for one in look.results:
        if one.outcome is DnsOutcome.GOOD:
            server, transport = one.server, "tcp" if one.ask.tcp else "udp"
            times.setdefault(_labels(server.name, server.role, server.node, transport), []).append(one.took)
    return {labels: median(found) for labels, found in times.items()}


def _labels(name: str, role: str, node: str, transport: str) -> Labels:
    return name, str(role), node, transport
