"""A real Prometheus scrapes what serves in kubenurse's place, and answers the queries that its users have."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from urllib.request import Request, urlopen

import pytest

from tests.apps.agents import until
from tests.compat.kubenurse.rig import ALONE
from tests.deploy.prometheus import FOLDER, RunningPrometheus, expressions
from tests.ports import free_port
from tests.programs import needs

pytestmark = needs("prometheus")

QUERIES = (
    # From 1.13 on.
    "sum by (type) (rate(kubenurse_errors_total[10s]))",
    "sum by (type, event) (rate(kubenurse_errors_total[10s]))",
    'sum by (type) (increase(kubenurse_errors_total{type=~"path_.*", event="connect_done"}[10s]))',
    'sum(rate(kubenurse_errors_total{type="me_ingress", event="status_code_404"}[10s]))',
    "histogram_quantile(0.99, sum by (le, type) (rate(kubenurse_httpclient_request_duration_seconds_bucket[10s])))",
    "rate(kubenurse_httpclient_request_duration_seconds_sum[10s]) "
    "/ rate(kubenurse_httpclient_request_duration_seconds_count[10s])",
    "histogram_quantile(0.95, sum by (le, event) ("
    'rate(kubenurse_httpclient_trace_request_duration_seconds_bucket{type=~"me_.*"}[10s])))',
    'sum by (type) (rate(kubenurse_httpclient_trace_request_duration_seconds_count{event="got_first_resp_byte"}[10s]))',
    'sum by (type) (rate(kubenurse_httpclient_requests_total{code!="200"}[10s])) '
    "/ sum by (type) (rate(kubenurse_httpclient_requests_total[10s]))",
    "kubenurse_neighbourhood_incoming_checks > 0",
    # Before.
    "histogram_quantile(0.9, sum by (le, type) (rate(kubenurse_request_duration_bucket[10s])))",
    'rate(kubenurse_request_duration_sum{type="me_service"}[10s]) / rate(kubenurse_request_duration_count[10s])',
    "sum without (instance, job) (increase(kubenurse_errors_total[10s]))",
    'sum(rate(kubenurse_httpclient_requests_total{code="200"}[10s]))',
)


@contextmanager
def pod(port: int, **environ: str) -> Iterator[None]:
    """One pod, alone: its neighbours are extra checks by their names."""
    process = subprocess.Popen(
        [sys.executable, "-m", "kubesonar", "kubenurse"],
        env={
            "PATH": os.environ["PATH"],
            **ALONE,
            "KUBENURSE_LISTEN": f"127.0.0.1:{port}",
            "KUBENURSE_CHECK_INTERVAL": "200ms",
            "KUBENURSE_SHUTDOWN_DURATION": "0s",
            **environ,
        },
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


def alive(port: int) -> bool:
    """Whether it serves; asks as a neighbour does."""
    try:
        question = Request(f"http://127.0.0.1:{port}/alwayshappy", headers={"KUBENURSE-NEIGHBOUR-ORIGIN": "neighbour"})
        with urlopen(question, timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPrometheus]:
    """Two pods, one with metadata lines; the service is well, the ingress has no such page, one of two neighbours is
    gone."""
    folder = tmp_path_factory.mktemp("prometheus")
    ports = [free_port(), free_port()]
    with ExitStack() as stack:
        running = stack.enter_context(
            RunningPrometheus(
                folder, {"kubenurse": [f"127.0.0.1:{port}" for port in ports]}, [FOLDER / "kubenurse-rules.yaml"]
            )
        )
        extra = {
            "path_n8": f"http://127.0.0.1:{ports[1]}/alwayshappy",
            "path_n9": f"http://127.0.0.1:{free_port()}/alwayshappy",
            "me_ingress": f"http://127.0.0.1:{running.port}/none",
        }
        checks = {
            "KUBENURSE_CHECK_ME_SERVICE": "true",
            "KUBENURSE_SERVICE_URL": f"http://localhost:{ports[0]}",
            "KUBENURSE_EXTRA_CHECKS": "|".join(f"{name}:{url}" for name, url in extra.items()),
        }
        stack.enter_context(pod(ports[0], **checks))
        stack.enter_context(pod(ports[1], **checks, KUBENURSE_EXPOSE_METADATA="true"))
        for port in ports:
            until(lambda port=port: alive(port))  # type: ignore[misc]
        until(running.has("count(kubenurse:erring_pods:count == 2) == 2"))
        until(running.has("kubenurse:request_duration_seconds:p99_rate5m"))
        yield running


def test_it_is_scraped_without_a_complaint(prometheus: RunningPrometheus) -> None:
    targets = until(lambda: [one for one in prometheus.get("targets")["activeTargets"] if one["health"] == "up"])
    assert len(targets) == 2
    assert prometheus.complaints == []


def test_queries_that_worked_with_kubenurse_work(prometheus: RunningPrometheus) -> None:
    """One test for all: workers that share them would each wait for a Prometheus of their own."""
    for query in QUERIES:
        samples = until(partial(prometheus.query, query), 10)
        values = [float(sample["value"][1]) for sample in samples]
        assert any(math.isfinite(value) and value > 0 for value in values), query


def test_every_panel_of_the_dashboard_has_data(prometheus: RunningPrometheus) -> None:
    assert [title for title, query in expressions("kubenurse-dashboard.json") if not prometheus.query(query)] == []


def test_the_rules_blame_what_fails_and_nothing_else(prometheus: RunningPrometheus) -> None:
    rules = [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]
    assert [rule["name"] for rule in rules if rule["health"] == "err"] == []
    pending = until(lambda: prometheus.query('ALERTS{alertname=~"KubenurseNodeUnreachable|KubenurseCheckFailing"}'))
    assert {(one["metric"]["alertname"], one["metric"]["type"]) for one in pending} == {
        ("KubenurseNodeUnreachable", "path_n9"),
        ("KubenurseCheckFailing", "me_ingress"),
    }
