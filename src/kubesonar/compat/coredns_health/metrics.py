"""The metrics of coredns-healthcheck by their names, which have no prefix and no labels."""

from __future__ import annotations

from collections.abc import Iterator

from kubesonar.core.telemetry.instruments import Histograms
from kubesonar.views.metrics.exposition import Metric, Series

RESPONSE_BOUNDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the buckets of response times, in seconds: the defaults of Prometheus' client for Go, which it
had."""

_QUERIES = Metric("dns_query_count", "counter", "DNS questions that were asked.")
_TIMES = Metric("dns_query_response_time", "histogram", "Seconds until a DNS answer came.")
_OOM = Metric("oom_count", "counter", "Memory limits raised; always 0, as they are not touched.")
_RESTARTS = Metric("restart_count", "counter", "DNS pods restarted.")
_FAILURES = Metric("total_failures", "counter", "Sum of oom_count and restart_count.")


def healthcheck_families(queries: float, times: Histograms, restarts: float) -> Iterator[tuple[Metric, Series]]:
    """Yield the families. `times` has one series, with the bounds `RESPONSE_BOUNDS`."""
    yield _QUERIES, {(): queries}
    yield _TIMES, times
    yield _OOM, {(): 0}
    yield _RESTARTS, {(): restarts}
    yield _FAILURES, {(): restarts}
