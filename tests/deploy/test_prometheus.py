"""A real Prometheus scrapes real agents, evaluates the rules, and answers every query of the dashboards."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.apps.agents import RunningAgent, enter_all, members, tree, until
from tests.deploy.prometheus import FOLDER, PlainText, RunningPrometheus, expressions
from tests.ports import free_port
from tests.programs import needs

pytestmark = needs("prometheus")

RULES = (FOLDER / "rules.yaml",)

EMPTY_HERE = {
    "Firing alerts",
    "Dropped because a bound was reached",
    "Stretches of trouble",
    "Notices that wait for receivers of webhooks",
}
"""Panels without data here; so are those of the host network, of DNS and of the ingress."""


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPrometheus]:
    """Three agents, a member that is gone, an API server and a Service that nobody serves; scraped for a while."""
    folder = tmp_path_factory.mktemp("prometheus")
    ports = {name: free_port() for name in ("a", "b", "c", "gone")}
    roster = members(folder, ports)
    targets: list[dict[str, Any]] = [
        {"name": "api", "kind": "http", "path": "api_direct", "request": f"http://127.0.0.1:{ports['a']}/healthz"},
        {"name": "own", "kind": "tcp", "path": "service", "address": "127.0.0.1", "port": ports["gone"]},
    ]
    more = {
        "targets": [{**target, "period": 0.2} for target in targets],
        "health": {"lag": 60, "throttled": 1},  # a busy machine is no reason to distrust these
        "budget": {"api": 1000, "service": 1000, "conntrack": 1_000_000},
    }
    agents = [RunningAgent(folder, name, **tree(name, ports[name], roster, **more)) for name in ("a", "b", "c")]
    with ExitStack() as stack, PlainText(ports["c"]) as text:
        enter_all(stack, agents)
        jobs = {"kubesonar": [f"127.0.0.1:{ports[name]}" for name in "ab"], "text": [f"127.0.0.1:{text.port}"]}
        with RunningPrometheus(folder, jobs, RULES) as running:
            until(running.has('ALERTS{alertname="KubesonarAgentSilent", alertstate="pending"}'))
            until(running.has('kubesonar:target_observers_down:count{kind="udp", path="pod"} == 3'))
            until(running.has("rate(kubesonar_rtt_seconds_bucket[10s]) > 0"))
            until(running.has("kubesonar_coordinator == 1"))
            yield running


def test_both_text_formats_are_scraped_without_a_complaint(prometheus: RunningPrometheus) -> None:
    targets = prometheus.get("targets")["activeTargets"]
    assert [(target["health"], target["lastError"]) for target in targets] == [("up", "")] * 3
    assert len(prometheus.query("kubesonar_build_info")) == 3
    families = {
        "kubesonar_probes": "kubesonar",
        "kubesonar_probes_total": "text",
    }  # OpenMetrics' name of it, and text's
    for family, job in families.items():
        assert {one["target"]["job"] for one in prometheus.get("targets/metadata", metric=family)} == {job}
    assert prometheus.complaints == []


def test_every_rule_can_be_evaluated(prometheus: RunningPrometheus) -> None:
    def evaluated() -> list[Any]:
        rules = [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]
        return [] if any(rule["health"] == "unknown" for rule in rules) else rules

    rules = until(evaluated)
    assert [(rule["name"], rule.get("lastError", "")) for rule in rules if rule["health"] != "ok"] == []
    assert len(rules) > 30


def test_the_rules_tell_the_lost_member_from_those_that_are_well(prometheus: RunningPrometheus) -> None:
    down = until(lambda: prometheus.query('kubesonar:target_observers_down:count{kind="udp", path="pod"}'))
    assert {(sample["metric"]["target_node"], sample["value"][1]) for sample in down} == {("gone", "3")}
    edges = prometheus.query('kubesonar:edge_down{kind="tcp", path="pod"}')
    assert {sample["metric"]["source_node"] for sample in edges} == {"a", "b", "c"}

    def failing_shares() -> tuple[float | None, ...]:
        ratio = prometheus.query("kubesonar:failing:ratio")
        found = {sample["metric"]["path"]: float(sample["value"][1]) for sample in ratio}
        return found.get("api_direct"), found.get("service"), found.get("pod")

    until(lambda: failing_shares() == (0, 1, 1))  # on a busy machine one check may be late once
    failing = prometheus.query("kubesonar:path_failing:ratio")
    assert [sample["metric"]["path"] for sample in failing] == ["service"]


def test_every_panel_of_the_dashboard_is_answered(prometheus: RunningPrometheus) -> None:
    """An expression that Prometheus refuses fails in `query`."""
    empty = {title for title, expression in expressions("dashboard.json") if not prometheus.query(expression)}
    elsewhere = {title for title in empty if re.search("host network|DNS|Ingress|Open incidents|In-cluster", title)}
    assert empty - elsewhere <= EMPTY_HERE


def test_the_dashboard_shows_who_is_lost(prometheus: RunningPrometheus) -> None:
    shown = dict(expressions("dashboard.json"))
    matrix = prometheus.query(shown["Loss in the pod network: rows lose packets to and from columns"])
    lost = {(one["metric"]["source_node"], one["metric"]["target_node"]): float(one["value"][1]) for one in matrix}
    assert {pair for pair, loss in lost.items() if loss == 1} == {(node, "gone") for node in "abc"}
    assert float(prometheus.query(shown["Bad edges"])[0]["value"][1]) > 0
