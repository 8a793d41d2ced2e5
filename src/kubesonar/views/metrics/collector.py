"""The metrics of a collector: the cluster as a whole, and what the collector itself does. The number of series does not
depend on the number of members."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec

from kubesonar.core.diagnosis.incidents.incident_log import IncidentRecord
from kubesonar.core.telemetry.instruments import Histograms, Labels
from kubesonar.core.telemetry.reports.level_sums import LevelSums
from kubesonar.model import Health, Verdict
from kubesonar.views.metrics.exposition import Metric, Series

_HEALTH = {Health.GOOD: 1.0, Health.BAD: 0.0, Health.UNKNOWN: -1.0, Health.OTHER: -1.0}

_MOST_INCIDENTS = 100
"""Most series of open incidents; the others are counted together as part "other". More, and an outage of everything
floods Prometheus."""


class CollectorFacts(msgspec.Struct, frozen=True):
    """The facts that a collector knows of itself: the address of its page (empty: not known), reports taken and refused
    by status, agents that report, seconds from one of their reports to the next, trials that agents lost before they
    could report them, seconds that the last judgement took, whether it leads its replicas, records that wait for the
    store, notices that wait for a receiver, records that were dropped, resident memory (bytes) and CPU time (s)."""

    version: str
    page: str
    taken: int
    refused: Mapping[int, int]
    reporting: int
    interval: float
    lost_trials: int
    judging: float
    judge_resident: int
    judge_cpu: float
    leads: bool
    waiting: int
    untold: int
    dropped: int
    resident: int
    cpu: float


_HEALTHY = Metric(
    "kubesonar_cluster_health", "gauge", "Verdict on the network: 1 good, 0 bad, -1 unknown. Alert on < 1."
)
_MEMBERS = Metric("kubesonar_cluster_members", "gauge", "Members that any roster names.")
_OBSERVERS = Metric("kubesonar_cluster_observers", "gauge", "Members whose reports the verdict rests on.")
_INCIDENTS = Metric(
    "kubesonar_incident", "gauge", "Open incidents by part, kind of fault and severity.", ("part", "kind", "severity")
)
_SENT = Metric("kubesonar_cluster_udp_sent_total", "counter", "Datagrams that all agents sent in trains to members.")
_RECEIVED = Metric("kubesonar_cluster_udp_received_total", "counter", "Answers to these datagrams.")
_NETWORK_LATENCY = Metric(
    "kubesonar_cluster_network_latency_seconds",
    "histogram",
    "In-cluster network latency (SIG Scalability): requests to the agents' own Service, from all agents.",
    (),
    "seconds",
)
_NETWORK_FAILURES = Metric(
    "kubesonar_cluster_network_latency_failures_total", "counter", "Requests to the agents' own Service that failed."
)
_DNS_LATENCY = Metric(
    "kubesonar_cluster_dns_latency_seconds",
    "histogram",
    "In-cluster DNS latency (SIG Scalability): look-ups by UDP from all agents, at the DNS Service (service) or at the "
    "cache of the node (node_local).",
    ("server",),
    "seconds",
)
_DNS_FAILURES = Metric(
    "kubesonar_cluster_dns_latency_failures_total", "counter", "Look-ups of these that failed.", ("server",)
)
_TAKEN = Metric("kubesonar_collector_reports_total", "counter", "Reports taken.")
_REFUSED = Metric("kubesonar_collector_reports_refused_total", "counter", "Reports refused, by status.", ("status",))
_REPORTING = Metric("kubesonar_collector_agents", "gauge", "Agents whose reports are kept.")
_INTERVAL = Metric(
    "kubesonar_collector_report_interval_seconds", "gauge", "Time between two reports of one agent.", (), "seconds"
)
_LOST = Metric(
    "kubesonar_collector_trials_lost_total", "counter", "Trials that agents forgot before they could report them."
)
_JUDGING = Metric("kubesonar_collector_judgement_seconds", "gauge", "Time that the last judgement took.", (), "seconds")
_LEADS = Metric(
    "kubesonar_collector_leads",
    "gauge",
    "Whether this replica decides what becomes of incidents (1), or another does (0). Alert on a sum other than 1.",
)
_JUDGE_RESIDENT = Metric(
    "kubesonar_collector_judge_memory_bytes", "gauge", "Resident memory of the process that judges.", (), "bytes"
)
_JUDGE_CPU = Metric(
    "kubesonar_collector_judge_cpu_seconds_total", "counter", "CPU time of the process that judges.", (), "seconds"
)
_WAITING = Metric("kubesonar_collector_store_waiting", "gauge", "Records that are not durable yet.")
_UNTOLD = Metric("kubesonar_collector_notices_waiting", "gauge", "Notices that a receiver is still to get.")
_DROPPED = Metric("kubesonar_collector_store_dropped_total", "counter", "Records that never will be durable.")
_INFO = Metric("kubesonar_collector_info", "info", "Version of the collector.", ("version",))
_PAGE = Metric(
    "kubesonar_collector_page_info",
    "info",
    "Address at which people open the page, where it is known (page.address).",
    ("address",),
)
_RESIDENT = Metric("process_resident_memory_bytes", "gauge", "Resident memory.", (), "bytes")
_CPU = Metric("process_cpu_seconds_total", "counter", "CPU time used.", (), "seconds")


COLLECTOR_METRICS = (
    _HEALTHY,
    _MEMBERS,
    _OBSERVERS,
    _INCIDENTS,
    _SENT,
    _RECEIVED,
    _NETWORK_LATENCY,
    _NETWORK_FAILURES,
    _DNS_LATENCY,
    _DNS_FAILURES,
    _TAKEN,
    _REFUSED,
    _REPORTING,
    _INTERVAL,
    _LOST,
    _JUDGING,
    _JUDGE_RESIDENT,
    _JUDGE_CPU,
    _LEADS,
    _WAITING,
    _UNTOLD,
    _DROPPED,
    _INFO,
    _PAGE,
    _RESIDENT,
    _CPU,
)
"""All metrics in the order of the exposition."""


def collector_families(
    verdict: Verdict | None, records: Iterable[IncidentRecord], levels: LevelSums, facts: CollectorFacts
) -> Iterable[tuple[Metric, Series]]:
    """Return the families; those of the verdict once there is one."""
    if verdict is not None:
        yield _HEALTHY, {(): _HEALTH[verdict.verdict]}
        yield _MEMBERS, {(): verdict.members}
        yield _OBSERVERS, {(): verdict.observers}
        yield _INCIDENTS, _by_part(records)
    yield _SENT, {(): levels.sent}
    yield _RECEIVED, {(): levels.received}
    yield _NETWORK_LATENCY, _renamed(levels.answered, {"service": ()})
    yield _NETWORK_FAILURES, {(): levels.failed.series.get(("service",), 0)}
    yield _DNS_LATENCY, _renamed(levels.answered, _SERVERS)
    yield _DNS_FAILURES, {labels: levels.failed.series.get((name,), 0) for name, labels in _SERVERS.items()}
    yield _TAKEN, {(): facts.taken}
    yield _REFUSED, {(str(status),): count for status, count in facts.refused.items()}
    yield _REPORTING, {(): facts.reporting}
    yield _INTERVAL, {(): facts.interval}
    yield _LOST, {(): facts.lost_trials}
    yield _JUDGING, {(): facts.judging}
    yield _JUDGE_RESIDENT, {(): facts.judge_resident}
    yield _JUDGE_CPU, {(): facts.judge_cpu}
    yield _LEADS, {(): float(facts.leads)}
    yield _WAITING, {(): facts.waiting}
    yield _UNTOLD, {(): facts.untold}
    yield _DROPPED, {(): facts.dropped}
    yield _INFO, {(facts.version,): 1}
    if facts.page:
        yield _PAGE, {(facts.page,): 1}
    yield _RESIDENT, {(): facts.resident}
    yield _CPU, {(): facts.cpu}


_SERVERS: dict[str, Labels] = {"dns_service": ("service",), "dns_node_local": ("node_local",)}


def _renamed(histograms: Histograms, labels: Mapping[str, Labels]) -> Histograms:
    """Return the histograms of these indicators under other labels."""
    found = Histograms(histograms.bounds)
    found.series = {labels[name]: tally for (name,), tally in histograms.series.items() if name in labels}
    return found


def _by_part(records: Iterable[IncidentRecord]) -> dict[tuple[str, ...], float]:
    counts: Counter[tuple[str, ...]] = Counter()
    for record in records:
        if record.closed is None:
            finding = record.finding
            labels = (finding.part, finding.fault, finding.severity.value)
            counts[labels if labels in counts or len(counts) < _MOST_INCIDENTS else ("other", "", "")] += 1
    return dict(counts)
