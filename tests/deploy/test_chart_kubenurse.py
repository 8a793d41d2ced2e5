"""An upgrade from kubenurse's own chart: with its values file as it is, and nothing that cannot change changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.deploy.api import Api
from tests.deploy.rendering import CHART, Tree, container, helm, helms, named, newest, one, refusal, render

OLD = ("kubenurse",)
ON = ("--set", "kubenurse.enabled=true")


@pytest.mark.parametrize(
    ("release", "flags", "name", "label"),
    [
        ("kubenurse", ON, "kubenurse", "kubenurse"),
        ("prod", ON, "prod-kubenurse", "kubenurse"),
        ("my-kubenurse", ON, "my-kubenurse", "kubenurse"),
        ("prod", (*ON, "--set", "nameOverride=nurse"), "prod-nurse", "nurse"),
        ("prod", (*ON, "--set", "fullnameOverride=netcheck"), "netcheck", "kubenurse"),
    ],
)
def test_names_and_the_selector_are_those_of_the_older_chart(
    release: str, flags: tuple[str, ...], name: str, label: str
) -> None:
    trees = render(*flags, release=release)
    daemonset = one(trees, "DaemonSet")
    assert daemonset["metadata"]["name"] == name
    selector = {"app.kubernetes.io/name": label, "app.kubernetes.io/instance": release}
    assert daemonset["spec"]["selector"] == {"matchLabels": selector}
    assert selector.items() <= daemonset["spec"]["template"]["metadata"]["labels"].items()
    service = one(trees, "Service", name)
    assert service["spec"]["selector"] == selector
    assert one(trees, "Ingress")["metadata"]["name"] == name
    assert {name} <= set(named(trees, "ServiceAccount")) & set(named(trees, "Role")) & set(named(trees, "ClusterRole"))


def test_the_service_keeps_its_port_and_more_can_be_had_beside_it() -> None:
    trees = render(*OLD)
    (port,) = one(trees, "Service", "ks-kubenurse")["spec"]["ports"]
    assert port == {"name": "8080-8080", "port": 8080, "protocol": "TCP", "targetPort": 8080}
    agents = one(trees, "Service", "ks-kubenurse-agent")["spec"]
    assert agents["selector"]["kubesonar.io/network"] == "pod"  # the older tool's pods have no such label


def test_pods_are_as_the_older_values_say() -> None:
    daemonset = one(render(*OLD), "DaemonSet")
    template = daemonset["spec"]["template"]
    assert template["metadata"]["labels"]["team"] == "net"
    assert template["metadata"]["annotations"]["prometheus.io/scrape"] == "false"
    assert template["metadata"]["annotations"]["prometheus.io/port"] == "8080"
    spec = template["spec"]
    assert spec["tolerations"] == [{"operator": "Exists"}]
    assert spec["priorityClassName"] == "system-node-critical"
    assert spec["dnsConfig"] == {"options": [{"name": "ndots", "value": "1"}]}
    assert spec["securityContext"]["runAsUser"] == 1000
    assert {volume["name"] for volume in spec["volumes"]} == {"config", "keys", "tls"}
    assert spec["imagePullSecrets"] == [{"name": "registry"}]
    assert daemonset["spec"]["updateStrategy"]["rollingUpdate"] == {"maxUnavailable": "20%"}
    agent = container(daemonset)
    assert agent["resources"]["limits"] == {"memory": "128Mi"}
    assert agent["imagePullPolicy"] == "Always"
    assert {"name": "HTTPS_PROXY", "value": "http://proxy.example:3128"} in agent["env"]
    assert {8080, 8443, 7473} == {port["containerPort"] for port in agent["ports"]}


def test_the_older_image_is_not_run() -> None:
    assert container(one(render(*OLD), "DaemonSet"))["image"].startswith("kubesonar/kubesonar:")


def test_defaults_of_pods_are_the_older_charts() -> None:
    daemonset = one(render(*ON), "DaemonSet")
    assert daemonset["spec"]["updateStrategy"]["rollingUpdate"] == {"maxUnavailable": "34%"}
    assert [t["key"] for t in daemonset["spec"]["template"]["spec"]["tolerations"]] == [
        "node-role.kubernetes.io/master",
        "node-role.kubernetes.io/control-plane",
    ]
    agent = container(daemonset)
    ready, live, start = agent["readinessProbe"], agent["livenessProbe"], agent["startupProbe"]
    assert ready == {
        "httpGet": {"path": "/ready", "port": 8080},
        "periodSeconds": 3,
        "timeoutSeconds": 1,
        "failureThreshold": 1,
    }
    assert (live["httpGet"]["path"], live["periodSeconds"], live["failureThreshold"]) == ("/alwayshappy", 10, 6)
    assert (start["httpGet"]["path"], start["periodSeconds"], start["failureThreshold"]) == ("/alwayshappy", 2, 60)


def test_the_ingress_is_the_older_charts() -> None:
    spec = one(render(*OLD), "Ingress")["spec"]
    (rule,) = spec["rules"]
    (path,) = rule["http"]["paths"]
    assert (rule["host"], path["path"], path["pathType"]) == ("kubenurse.example.org", "/", "Prefix")
    assert path["backend"]["service"] == {"name": "ks-kubenurse", "port": {"number": 8080}}
    assert spec["tls"] == [{"hosts": ["kubenurse.example.org"], "secretName": "kubenurse-cert"}]
    assert spec["ingressClassName"] == "public"
    assert one(render(*ON), "Ingress")["spec"]["ingressClassName"] == "nginx"
    assert named(render(*ON, "--set", "ingress.enabled=false"), "Ingress") == []


def test_its_monitor_keeps_its_name_and_port_and_jobs_are_apart() -> None:
    trees = render(*OLD)
    old = one(trees, "ServiceMonitor", "ks-kubenurse")
    assert [endpoint["port"] for endpoint in old["spec"]["endpoints"]] == ["8080-8080"]
    assert old["spec"]["endpoints"][0]["interval"] == "60s"
    assert old["spec"]["endpoints"][0]["relabelings"][0]["targetLabel"] == "nodename"
    assert old["metadata"]["labels"]["release"] == "prometheus"
    new = one(trees, "ServiceMonitor", "ks-kubenurse-agent")
    assert [endpoint["port"] for endpoint in new["spec"]["endpoints"]] == ["http"]
    assert one(trees, "Service", "ks-kubenurse-agent")["metadata"]["labels"][new["spec"]["jobLabel"]] == "kubesonar"


def test_no_account_is_made_where_none_is_wanted() -> None:
    trees = render(*ON, "--set", "serviceAccount.create=false,serviceAccount.name=mine,keys.create=false")
    assert named(trees, "ServiceAccount") == []
    assert one(trees, "DaemonSet")["spec"]["template"]["spec"]["serviceAccountName"] == "mine"


def test_who_may_not_grant_cluster_wide_rights_still_need_not() -> None:
    assert named(render(*ON, "--set", "allow_unschedulable=true"), "ClusterRole") == []
    assert named(render(*ON, "--set", "allow_unschedulable=true,rbac.nodes=true"), "ClusterRole") == ["ks-kubenurse"]


def is_older(trees: tuple[Tree, ...]) -> bool:
    return bool(one(trees, "DaemonSet")["metadata"]["labels"]["kubesonar.io/kubenurse"] == "true")


@pytest.mark.parametrize(
    "value",
    [
        "daemonset.podLabels.a=b",
        "neighbour_limit=5",
        "check_me_ingress=false",
        "ingress.url=kn.example.org",
        "service.port=8081",
        "service.name=web",
        "insecure=true",
    ],
)
def test_a_value_that_only_the_older_chart_has_tells(value: str) -> None:
    assert is_older(render("--set", value))


@pytest.mark.parametrize("value", ["serviceMonitor.enabled=true", "ingress.className=nginx", "nameOverride=x"])
def test_a_value_that_both_charts_have_does_not(value: str) -> None:
    assert not is_older(render("--set", value))


def test_older_values_that_would_do_nothing_are_refused() -> None:
    said = refusal("--set", "kubenurse.enabled=false,neighbour_limit=5,ingress.url=x.example.org")
    assert "kubenurse.enabled is false, but" in said
    assert "neighbour_limit ingress.url" in said


def test_values_of_an_older_release_reused_without_ours_are_refused(tmp_path: Path) -> None:
    said = refusal("--set", "agent=null")
    assert "--reset-then-reuse-values" in said


def installed(labels: dict[str, str]) -> Tree:
    """As helm leaves it."""
    labels = {"app.kubernetes.io/managed-by": "Helm", **labels}
    notes = {"meta.helm.sh/release-name": "prod", "meta.helm.sh/release-namespace": "mon"}
    return {"metadata": {"name": "prod-kubenurse", "namespace": "mon", "labels": labels, "annotations": notes}}


@pytest.mark.parametrize(
    ("there", "older"),
    [
        (None, False),
        ({"app.kubernetes.io/instance": "prod", "helm.sh/chart": "kubenurse-1.15.3"}, True),
        ({"app.kubernetes.io/instance": "prod", "kubesonar.io/kubenurse": "true"}, True),
        ({"app.kubernetes.io/instance": "prod", "kubesonar.io/kubenurse": "false"}, False),
        ({"app.kubernetes.io/instance": "another"}, False),
    ],
)
def test_in_an_upgrade_the_release_itself_tells(there: dict[str, str] | None, older: bool, tmp_path: Path) -> None:
    daemonsets = {} if there is None else {("mon", "prod-kubenurse"): installed(there)}
    with Api(daemonsets) as api:
        kubeconfig = api.kubeconfig(tmp_path / "config")
        for program in helms() or [newest()]:
            flags = ("template", "prod", str(CHART), "-n", "mon", "--dry-run=server", "--disable-openapi-validation")
            only = ("--show-only", "templates/daemonset.yaml")
            done = helm(program, *flags, *only, environ={"KUBECONFIG": kubeconfig})
            assert done.returncode == 0, done.stderr
            assert f'kubesonar.io/kubenurse: "{str(older).lower()}"' in done.stdout
