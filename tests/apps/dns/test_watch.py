"""`kubesonar dns watch` as a process: metrics by our names and by the older tool's, a log line for each change."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest

from kubesonar.config import ConfigError
from kubesonar.views.metrics.dns import DNS_METRICS
from kubesonar.views.metrics.dns_repair import REPAIR_METRICS
from tests.apps.dns.watching import watching
from tests.doctor import dns_server
from tests.doctor.cluster import dns_cluster
from tests.doctor.repair.doctors import populate

POD = "coredns-1 pod node-1 udp"


def test_a_pod_that_falls_deaf_and_comes_back(tmp_path: Path) -> None:
    with dns_cluster() as cluster, watching(cluster, tmp_path, "-allowPods=false", "-memFactor=2") as watch:
        well = watch.until(lambda found: found.get(("kubesonar_dns_healthy", "")) == 1)
        assert well["kubesonar_dns_server_well", POD] == 1
        assert well["kubesonar_dns_vantage", ""] == 1
        for name in ("dns_query_count", "dns_query_response_time_count"):
            assert well[name, ""] > 0
        assert [well[name, ""] for name in ("oom_count", "restart_count", "total_failures")] == [0, 0, 0]
        assert well["process_resident_memory_bytes", ""] > 0
        cluster.pods[0].udp = dns_server.silent
        sick = watch.until(lambda found: found.get(("kubesonar_dns_server_well", POD)) == 0)
        assert sick["kubesonar_dns_healthy", ""] == 0
        assert sick["kubesonar_dns_findings", "pod tcp_only"] == 1
        assert json.loads(watch.get("/api/v1/dns")[1])["findings"][0]["subject"] == "coredns-1"
        assert watch.get("/healthz") == (200, "ok\n")
        cluster.pods[0].udp = dns_server.well
        watch.until(lambda found: found.get(("kubesonar_dns_healthy", "")) == 1)
        watch.process.send_signal(signal.SIGTERM)
        _, said = watch.process.communicate(timeout=20)
    assert watch.process.returncode == 0
    assert "-memFactor: taken, and changes nothing" in said
    healthy, sick_line = "DNS is healthy", "the DNS pod coredns-1 on node-1 does not answer by UDP"
    assert said.index(healthy) < said.index(sick_line) < said.rindex(healthy)
    assert said.count("\n") < 20  # a line for each change, not for each look


def test_where_nothing_can_be_asked_it_says_why_and_goes_on(tmp_path: Path) -> None:
    with dns_cluster() as cluster:
        for resource in ("services", "endpointslices"):
            cluster.api.refuse("*", resource)
        with watching(cluster, tmp_path) as watch:
            found = watch.until(lambda found: found.get(("kubesonar_dns_looks_failed_total", ""), 0) >= 2)
            assert ("kubesonar_dns_healthy", "") not in found
            assert watch.get("/api/v1/dns")[0] == 503
            for resource in ("services", "endpointslices"):
                cluster.api.allow("*", resource)
            watch.until(lambda found: found.get(("kubesonar_dns_healthy", "")) == 1)


def test_a_deaf_pod_is_restarted_where_that_is_wanted(tmp_path: Path) -> None:
    with dns_cluster("127.0.0.13") as cluster:
        populate(cluster, 1, 2, holder="")
        cluster.pods[0].udp = dns_server.silent
        with watching(cluster, tmp_path, "--repair", "on", "--after", "0s") as watch:
            found = watch.until(lambda found: found.get(("kubesonar_dns_restart_outcomes_total", "true")) == 1)
            assert found["kubesonar_dns_restarts_total", "done"] == 1
            assert found["kubesonar_dns_repair_decisions_total", "restart sick"] == 1
            assert found["restart_count", ""] == found["total_failures", ""] == 1
            assert found["kubesonar_dns_repair_given_up", ""] == 0
        assert len(cluster.api.asked("create", "pods/eviction")) == 1


def test_by_default_it_suggests_and_off_it_says_nothing(tmp_path: Path) -> None:
    with dns_cluster() as cluster:
        populate(cluster, 1, 2)
        cluster.pods[0].udp = dns_server.silent
        with watching(cluster, tmp_path, "--after", "0s") as watch:
            watch.until(lambda found: found.get(("kubesonar_dns_repair_decisions_total", "suggest sick"), 0) > 0)
        with watching(cluster, tmp_path, "--repair", "off") as watch:
            found = watch.until(lambda found: found.get(("kubesonar_dns_looks_total", ""), 0) > 1)
            assert not [name for name, _ in found if name.startswith("kubesonar_dns_repair")]
        assert cluster.api.asked("create") == cluster.api.asked("patch") == []


def test_an_address_that_is_taken(tmp_path: Path) -> None:
    from kubesonar.apps.dns.watch import main

    with dns_cluster() as cluster, pytest.raises(ConfigError, match="cannot listen"):
        main(["--listen", f"127.0.0.1:{cluster.api.port}", "--kubeconfig", cluster.kubeconfig(tmp_path)])


def test_every_metric_is_documented() -> None:
    page = (Path(__file__).parents[3] / "docs" / "dns.md").read_text()
    assert [metric.name for metric in (*DNS_METRICS, *REPAIR_METRICS) if f"`{metric.name}`" not in page] == []
