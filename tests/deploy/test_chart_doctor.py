"""The DNS doctor of the chart: what it may, what it is told, and that it understands it."""

from __future__ import annotations

from typing import Any

import kubernetes_validate
import pytest

from kubesonar.apps.dns import main
from kubesonar.config import ConfigError
from kubesonar.doctor.rights import DnsPlace, Rule, repair_rules, rules_of, watch_pods_rules
from tests.deploy.rendering import Tree, one, refusal, render
from tests.deploy.rights import rights

NAME = "ks-kubesonar-doctor"
PLACE = DnsPlace()


def flags(kind: str, repair: str = "suggest", *more: str) -> tuple[str, ...]:
    return ("--set", f"doctor.kind={kind}", "--set-string", f"doctor.repair={repair}", *more)


def pod(trees: tuple[Tree, ...], kind: str) -> dict[str, Any]:
    tree = one(trees, kind, NAME)
    spec = tree["spec"]["jobTemplate"]["spec"] if kind == "CronJob" else tree["spec"]
    return dict(spec["template"]["spec"])


def test_without_one_nothing_is_made() -> None:
    assert not [tree for tree in render() if "doctor" in tree["metadata"]["name"]]


@pytest.mark.parametrize("kind", ["Deployment", "CronJob"])
@pytest.mark.parametrize("version", ["1.28", "1.36"])
def test_the_api_server_knows_every_field(kind: str, version: str) -> None:
    for tree in render(*flags(kind, "on", "--set", "collector.enabled=true")):
        kubernetes_validate.validate(tree, version, strict=True)


def as_rights(rules: tuple[Rule, ...]) -> set[tuple[str, str, str, str]]:
    return {
        (rule.namespace, rule.resource, name, " ".join(rule.verbs)) for rule in rules for name in rule.names or ("*",)
    }


@pytest.mark.parametrize(
    "repair, rules",
    [
        ("off", rules_of(1, PLACE)),
        ("suggest", (*rules_of(1, PLACE), *watch_pods_rules(PLACE))),
        ("on", (*rules_of(1, PLACE), *repair_rules(PLACE))),
    ],
)
def test_it_has_the_rights_that_its_duty_needs_and_no_others(repair: str, rules: tuple[Rule, ...]) -> None:
    assert rights(render(*flags("Deployment", repair)), NAME) == as_rights(rules)


def test_agents_may_not_evict() -> None:
    granted = rights(render(*flags("Deployment", "on")), "ks-kubesonar")
    assert not [right for right in granted if "evict" in right[1]]


@pytest.mark.parametrize("kind", ["Deployment", "CronJob"])
@pytest.mark.parametrize("repair", ["off", "suggest", "on"])
@pytest.mark.parametrize("more", [(), ("--set", "collector.enabled=true")])
def test_it_understands_its_arguments(kind: str, repair: str, more: tuple[str, ...]) -> None:
    """It gets as far as the credentials, which are not here."""
    (container,) = pod(render(*flags(kind, repair, *more)), kind)["containers"]
    program, *arguments = container["args"]
    assert program == "dns"
    with pytest.raises(ConfigError, match="needs no API server"):
        main([*arguments, "--kubeconfig", "/nonexistent/kubeconfig"])


def test_what_it_does_is_what_was_chosen() -> None:
    (watch,) = pod(render(*flags("Deployment", "on")), "Deployment")["containers"]
    assert watch["args"][1] == "watch"
    assert watch["args"][watch["args"].index("--repair") + 1] == "on"
    for repair, verb, acts in (("off", "check", False), ("suggest", "repair", False), ("on", "repair", True)):
        (job,) = pod(render(*flags("CronJob", repair)), "CronJob")["containers"]
        assert (job["args"][1], "--yes" in job["args"]) == (verb, acts)


def test_it_asks_the_collector_with_its_token_and_trusts_its_certificate() -> None:
    spec = pod(render(*flags("Deployment", "on", "--set", "collector.enabled=true")), "Deployment")
    (container,) = spec["containers"]
    arguments = container["args"]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert arguments[arguments.index("--collector") + 1] == "https://ks-kubesonar-collector.mon.svc.cluster.local:7475"
    assert arguments[arguments.index("--token-file") + 1] == f"{mounts['token']}/token"
    assert arguments[arguments.index("--ca-file") + 1] == f"{mounts['collector-ca']}/ca.crt"


@pytest.mark.parametrize("monitor", ["serviceMonitor", "podMonitor"])
def test_what_it_finds_is_scraped_where_it_serves_metrics(monitor: str) -> None:
    trees = render(*flags("Deployment", "on", "--set", f"{monitor}.enabled=true"))
    found = one(trees, "PodMonitor", NAME)["spec"]
    labels = one(trees, "Deployment", NAME)["spec"]["template"]["metadata"]["labels"]
    assert found["selector"]["matchLabels"].items() <= labels.items()
    (container,) = pod(trees, "Deployment")["containers"]
    assert [one["port"] for one in found["podMetricsEndpoints"]] == [one["name"] for one in container["ports"]]


@pytest.mark.parametrize("kind", ["off", "CronJob"])
def test_where_it_serves_none_nothing_is_scraped(kind: str) -> None:
    trees = render(*flags(kind, "on", "--set", "podMonitor.enabled=true"))
    assert not [tree for tree in trees if tree["kind"] == "PodMonitor" and tree["metadata"]["name"] == NAME]


def test_a_kind_that_does_not_exist_is_refused() -> None:
    assert "doctor" in refusal("--set", "doctor.kind=DaemonSet")


def test_a_policy_lets_it_ask_the_collector() -> None:
    closed = (
        "--set",
        "collector.enabled=true,networkPolicy.enabled=true,networkPolicy.from[0].podSelector.matchLabels.a=b",
    )
    trees = render(*flags("Deployment", "on", *closed))
    labels = one(trees, "Deployment", NAME)["spec"]["template"]["metadata"]["labels"]
    mesh, _ = one(trees, "NetworkPolicy", "ks-kubesonar-collector")["spec"]["ingress"]
    assert any(source["podSelector"]["matchLabels"].items() <= labels.items() for source in mesh["from"])
