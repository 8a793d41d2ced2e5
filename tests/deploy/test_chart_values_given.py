"""Values files as people have them: blank values, numbers where text belongs, names that only older releases knew."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
import yaml

from tests.deploy.rendering import Tree, container, environment, helms, named, newest, one, refusal, render

DAEMONSET = """
image extraEnvs podLabels podAnnotations podSecurityContext containerSecurityContext containerResources
containerImagePullPolicy tolerations dnsConfig volumeMounts volumes priorityClassName rollingUpdate
"""
TOP = """
daemonset insecure service_url kubernetes_service_dns allow_unschedulable neighbour_filter neighbour_limit
histogram_buckets expose_metadata victoriametrics_histogram extra_ca extra_checks check_api_server_direct
check_api_server_dns check_me_ingress check_me_service check_neighbourhood check_interval reuse_connections
shutdown_duration use_tls cert_file cert_key nameOverride fullnameOverride imagePullSecrets extraObjects
namespace check_api_me_ingress check_api_me_service
"""
NESTED = """
daemonset.image.repository daemonset.image.tag daemonset.rollingUpdate.maxUnavailable
daemonset.rollingUpdate.maxSurge serviceMonitor.enabled serviceMonitor.labels serviceMonitor.relabelings
serviceAccount.create serviceAccount.name serviceAccount.imagePullSecrets service.name service.port
service.labels ingress.enabled ingress.className ingress.annotations ingress.tlsSecretName ingress.url
httpRoute.enabled httpRoute.annotations httpRoute.parentRefs httpRoute.hostnames httpRoute.rules
rbac.allow_unschedulable rbac.allow_unschedulable.enabled
"""
OLD_VALUES = [*TOP.split(), *(f"daemonset.{key}" for key in DAEMONSET.split()), *NESTED.split()]
"""Every value of every release of kubenurse's chart."""


def values(tmp_path: Path, tree: dict[str, Any]) -> tuple[str, str]:
    text = yaml.safe_dump(tree)
    file = tmp_path / f"{crc32(text.encode()):08x}.yaml"  # `render` remembers what it rendered by its flags
    file.write_text(text)
    return "-f", str(file)


def nested(path: str, value: Any) -> dict[str, Any]:
    """The value under its dotted path."""
    for key in reversed(path.split(".")):
        value = {key: value}
    return dict(value)


def blank(paths: list[str]) -> dict[str, Any]:
    """The older chart's values with nothing under these paths; the sections above them are there."""
    tree: dict[str, Any] = {"kubenurse": {"enabled": True}}
    for path in paths:
        section = tree
        *sections, key = path.split(".")
        for name in sections:
            section[name] = section.get(name) or {}
            section = section[name]
        section.setdefault(key, None)
    return tree


@pytest.mark.parametrize("first", range(8))
def test_a_blank_value_of_the_older_chart_is_one_that_is_not_given(first: int, tmp_path: Path) -> None:
    """Every eighth of them at once: those of one section come one after the other."""
    tree = blank(OLD_VALUES[first::8])
    assert render(*values(tmp_path, tree)) == render("--set", "kubenurse.enabled=true")


def test_so_are_all_of_them_together_by_every_helm(tmp_path: Path) -> None:
    tree = blank(OLD_VALUES)
    for program in helms() or [newest()]:
        as_without = render("--set", "kubenurse.enabled=true", program=program)
        assert render(*values(tmp_path, tree), program=program) == as_without


@pytest.mark.parametrize("path", ["daemonset.tolerations", "insecure", "daemonset", "service.name", "ingress.url"])
def test_a_blank_value_tells_the_older_chart_as_any_other(path: str, tmp_path: Path) -> None:
    assert render(*values(tmp_path, nested(path, None))) == render("--set", "kubenurse.enabled=true")


@pytest.mark.parametrize("path", ["agent.tolerations", "rbac.nodes", "ingress.tls", "ingress.enabled"])
def test_a_blank_value_of_ours_is_one_that_is_not_given(path: str, tmp_path: Path) -> None:
    assert render(*values(tmp_path, nested(path, None))) == render()


def test_a_blank_configuration_is_an_empty_one(tmp_path: Path) -> None:
    """As of a file whose lines below `config:` are all comments."""
    blank: Tree = {
        "config": None,
        "hostNetwork": {"enabled": True, "config": None},
        "collector": {"enabled": True, "config": None},
    }
    for program in helms() or [newest()]:
        usual = render("--set", "hostNetwork.enabled=true,collector.enabled=true", program=program)
        assert render(*values(tmp_path, blank), program=program) == usual


@pytest.mark.parametrize("path", ["agent.resources", "collector.resources"])
def test_blank_resources_are_none(path: str, tmp_path: Path) -> None:
    trees = render(*values(tmp_path, nested(path, None)), "--set", "collector.enabled=true")
    kind = "DaemonSet" if path.startswith("agent") else "Deployment"
    assert not container(one(trees, kind)).get("resources")


@pytest.mark.parametrize("section", ["service", "ingress", "serviceAccount", "image", "rbac", "doctor"])
def test_a_section_that_is_blank_is_refused_by_its_name(section: str, tmp_path: Path) -> None:
    assert f"{section} is blank" in refusal(*values(tmp_path, {section: None}))


def agent(trees: tuple[Tree, ...]) -> Tree:
    return one(trees, "DaemonSet")


@pytest.mark.parametrize(("given", "text"), [(1, "1"), (20261128, "20261128"), (1.5, "1.5"), ("1.30", "1.30")])
def test_a_tag_may_be_a_number(given: float | str, text: str, tmp_path: Path) -> None:
    for program in helms() or [newest()]:
        trees = render(*values(tmp_path, {"image": {"tag": given}}), program=program)
        assert container(agent(trees))["image"] == f"kubesonar/kubesonar:{text}"
        assert agent(trees)["metadata"]["labels"]["app.kubernetes.io/version"] == text


@pytest.mark.parametrize("flag", ["image.tag=1", "image.tag=2026"])
def test_a_tag_of_digits_on_the_command_line(flag: str) -> None:
    assert container(agent(render("--set", flag)))["image"].endswith(flag.replace("image.tag=", ":"))


def test_scalars_without_quotes_are_texts_where_texts_belong(tmp_path: Path) -> None:
    given = {
        "agent": {
            "podLabels": {"shard": 1, "canary": True},
            "podAnnotations": {"rev": 20261128},
            "nodeSelector": {"pool": 3},
            "env": [{"name": "LEVEL", "value": 5}],
        },
        "service": {"labels": {"shard": 1}, "annotations": {"rev": 2.5}},
    }
    trees = render(*values(tmp_path, given))
    template = agent(trees)["spec"]["template"]
    assert template["metadata"]["labels"].items() >= {"shard": "1", "canary": "true"}.items()
    assert template["metadata"]["annotations"]["rev"] == "20261128"
    assert template["spec"]["nodeSelector"] == {"kubernetes.io/os": "linux", "pool": "3"}
    assert environment(agent(trees))["LEVEL"] == "5"
    service = one(trees, "Service", "ks-kubesonar")
    assert service["metadata"]["labels"]["shard"] == "1"
    assert service["metadata"]["annotations"] == {"rev": "2.5"}


def test_names_that_one_release_of_the_older_chart_misspelt(tmp_path: Path) -> None:
    given = {"check_api_me_ingress": False, "check_api_me_service": "false"}
    said = environment(agent(render(*values(tmp_path, given))))
    assert (said["KUBENURSE_CHECK_ME_INGRESS"], said["KUBENURSE_CHECK_ME_SERVICE"]) == ("false", "false")
    said = environment(agent(render(*values(tmp_path, {**given, "check_me_ingress": True}))))
    assert said["KUBENURSE_CHECK_ME_INGRESS"] == "true"


@pytest.mark.parametrize(("enabled", "roles"), [(True, ["ks-kubenurse"]), (False, [])])
def test_the_right_to_read_nodes_as_the_oldest_releases_had_it(enabled: bool, roles: list[str], tmp_path: Path) -> None:
    trees = render(*values(tmp_path, {"rbac": {"allow_unschedulable": {"enabled": enabled}}}))
    assert named(trees, "ClusterRole") == roles


def test_the_namespace_of_the_oldest_releases_is_passed_over(tmp_path: Path) -> None:
    trees = render(*values(tmp_path, {"namespace": "kube-system"}))
    assert agent(trees)["metadata"]["namespace"] == "mon"
    assert agent(trees)["metadata"]["name"] == "ks-kubenurse"


def test_rules_of_a_route_are_the_older_charts(tmp_path: Path) -> None:
    route = {
        "enabled": True,
        "parentRefs": [{"name": "gateway"}],
        "rules": [{"matches": [{"path": {"type": "PathPrefix", "value": "/"}}]}],
    }
    (rule,) = one(render(*values(tmp_path, {"httpRoute": route})), "HTTPRoute")["spec"]["rules"]
    assert rule["matches"] == [{"path": {"type": "PathPrefix", "value": "/"}}]
    assert rule["backendRefs"] == [{"name": "ks-kubenurse", "port": 8080}]


@pytest.mark.parametrize("flags", [(), ("--set", "kubenurse.enabled=true"), ("--set", "hostNetwork.enabled=true")])
def test_nothing_of_another_domain_is_left_where_the_clusters_own_is_given(flags: tuple[str, ...]) -> None:
    for program in helms() or [newest()]:
        text = yaml.safe_dump_all(render("--set", "clusterDomain=k8s.corp.example", *flags, program=program))
        assert "cluster.local" not in text
    dropin = render("--set", "clusterDomain=k8s.corp.example,kubenurse.enabled=true")
    assert environment(agent(dropin))["KUBERNETES_SERVICE_DNS"] == "kubernetes.default.svc.k8s.corp.example"


@pytest.mark.parametrize("flags", [(), ("--set", "kubenurse.enabled=true"), ("--set", "hostNetwork.enabled=true")])
def test_no_pod_goes_to_a_virtual_node(flags: tuple[str, ...]) -> None:
    for tree in render(*flags):
        if tree["kind"] not in ("DaemonSet", "Job"):
            continue
        affinity = tree["spec"]["template"]["spec"]["affinity"]["nodeAffinity"]
        (term,) = affinity["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
        refused = {rule["key"]: rule["values"] for rule in term["matchExpressions"] if rule["operator"] == "NotIn"}
        assert refused.items() >= {"type": ["virtual-kubelet"], "eks.amazonaws.com/compute-type": ["fargate"]}.items()


def test_where_pods_go_can_be_said(tmp_path: Path) -> None:
    lifted = agent(render(*values(tmp_path, {"agent": {"affinity": None}})))
    assert "affinity" not in lifted["spec"]["template"]["spec"]
