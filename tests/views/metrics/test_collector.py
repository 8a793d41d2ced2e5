from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from kubesonar.core.diagnosis.incidents.incident_log import IncidentRecord
from kubesonar.core.telemetry.reports.level_sums import LevelSums
from kubesonar.core.telemetry.service_levels import INDICATORS, LATENCY_BOUNDS, LatencyCounts, ServiceLevels
from kubesonar.model import Finding, Health, Verdict
from kubesonar.views.metrics.collector import COLLECTOR_METRICS, CollectorFacts, collector_families
from kubesonar.views.metrics.exposition import Exposition

FACTS = CollectorFacts(
    version="1.0",
    page="https://sonar.example.org",
    taken=1,
    refused=dict.fromkeys((400, 401, 403, 409, 415, 503), 1),
    reporting=1,
    interval=2.0,
    lost_trials=0,
    judging=0.1,
    judge_resident=1,
    judge_cpu=1.0,
    leads=True,
    waiting=0,
    untold=0,
    dropped=0,
    resident=1,
    cpu=1.0,
)
COUNTS = LatencyCounts((1,) * (len(LATENCY_BOUNDS) + 1), 1.0, 2)


def text(incidents: int = 0, *, openmetrics: bool = False) -> str:
    sums = LevelSums()
    sums.take("a", 1, 0.0, ServiceLevels(**dict.fromkeys(INDICATORS, COUNTS), sent=8, received=7), 1.0)
    records = [
        IncidentRecord(1, f"{n}", Finding(f"part-{n}", "x", "loss", 1.0, 1.0, "sick"), 1.0, 1.0, 1.0)
        for n in range(incidents)
    ]
    verdict = Verdict(Health.BAD, "sick", 1.0, observers=5000, members=10_000)
    return Exposition().render(collector_families(verdict, records, sums, FACTS), openmetrics=openmetrics).decode()


def test_the_latency_indicators_are_histograms_of_all_agents() -> None:
    lines = text().splitlines()
    assert 'kubesonar_cluster_network_latency_seconds_bucket{le="0.0005"} 1' in lines
    assert 'kubesonar_cluster_dns_latency_seconds_count{server="node_local"} 14' in lines
    assert 'kubesonar_cluster_dns_latency_failures_total{server="service"} 2' in lines
    assert "kubesonar_cluster_network_latency_failures_total 2" in lines
    assert "kubesonar_cluster_udp_received_total 7" in lines


def test_there_are_at_most_300_series_whatever_is_wrong() -> None:
    assert len([line for line in text(5000).splitlines() if not line.startswith("#")]) <= 300


def test_other_parsers_read_all_of_it_and_the_reference_names_it() -> None:
    parsed = list(parse_openmetrics(text(3, openmetrics=True)))  # type: ignore[no-untyped-call]
    assert {family.name for family in parsed} == {metric.family for metric in COLLECTOR_METRICS}
    assert list(parse_text(text(3)))
