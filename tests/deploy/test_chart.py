"""The chart: what it makes is what the API server takes, from the oldest to the newest version."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from kubesonar import __version__
from tests.deploy.rendering import CHART, Tree, container, environment, helm, helms, named, newest, one, refusal, render
from tests.programs import LACKS_HELM

SETS: dict[str, tuple[str, ...]] = {
    "default": (),
    "everything": ("everything",),
    "kubenurse": ("kubenurse",),
    "kubenurse and everything": ("kubenurse", "-f", str(Path(__file__).parent / "values" / "everything.yaml")),
    "single stack, no keys": ("--set", "service.ipFamilyPolicy=SingleStack,keys.create=false"),
    "least": ("--set", "rbac.create=false,serviceAccount.create=false,keys.create=false,agent.icmp=false"),
}
CUSTOM = {"ServiceMonitor", "PodMonitor", "HTTPRoute"}


@pytest.mark.parametrize("flags", SETS.values(), ids=SETS)
@pytest.mark.parametrize("version", ["1.28", "1.36"])
def test_the_api_server_knows_every_field(flags: tuple[str, ...], version: str) -> None:
    for tree in render(*flags):
        if tree["kind"] not in CUSTOM:
            kubernetes_validate.validate(tree, version, strict=True)


@pytest.mark.parametrize("flags", SETS.values(), ids=SETS)
def test_every_helm_renders_the_same(flags: tuple[str, ...]) -> None:
    programs = helms()
    if len(programs) < 2:
        pytest.skip(LACKS_HELM)
    assert render(*flags, program=programs[0]) == render(*flags, program=programs[-1])


@pytest.mark.parametrize("flags", SETS.values(), ids=SETS)
def test_no_two_objects_have_one_name_and_none_is_too_long(flags: tuple[str, ...]) -> None:
    for release in ("ks", "r" * 53):
        trees = render(*flags, release=release)
        names = [(t["kind"], t["metadata"].get("namespace"), t["metadata"]["name"]) for t in trees]
        assert len(set(names)) == len(names)
        roles = ("ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding")  # their names are parts of a path only
        assert [name for kind, _, name in names if len(name) > (253 if kind in roles else 63)] == []


def test_helm_finds_nothing_wrong() -> None:
    for program in helms() or [newest()]:
        done = helm(program, "lint", "--strict", str(CHART))
        assert done.returncode == 0, done.stdout


def test_the_chart_installs_the_version_it_comes_with() -> None:
    text = (CHART / "Chart.yaml").read_text()
    assert f'appVersion: "{__version__}"' in text
    assert container(one(render(), "DaemonSet"))["image"].endswith(f":{__version__}")


def test_a_digest_goes_before_a_tag() -> None:
    assert container(one(render("everything"), "DaemonSet", "ks-kubesonar"))["image"] == (
        "mirror.example/kubesonar@sha256:" + "0" * 64
    )


def selected(trees: tuple[Tree, ...], selector: Tree) -> set[str]:
    """Names of the workloads whose pods a selector takes."""
    pods = {
        t["metadata"]["name"]: t["spec"]["template"]["metadata"]["labels"] for t in trees if "template" in t["spec"]
    }
    return {name for name, labels in pods.items() if selector.items() <= labels.items()}


def workloads(trees: tuple[Tree, ...]) -> tuple[Tree, ...]:
    return tuple(tree for tree in trees if tree["kind"] in ("DaemonSet", "Deployment", "Job"))


@pytest.mark.parametrize("flags", [("everything",), ("kubenurse", "--set", "hostNetwork.enabled=true")])
def test_every_selector_takes_the_pods_of_one_workload(flags: tuple[str, ...]) -> None:
    trees = render(*flags)
    for tree in trees:
        match tree["kind"]:
            case "DaemonSet":
                selector = tree["spec"]["selector"]["matchLabels"]
                assert selected(workloads(trees), selector) == {tree["metadata"]["name"]}
            case "Service":
                assert len(selected(workloads(trees), tree["spec"]["selector"])) == 1
            case "PodMonitor" | "NetworkPolicy":
                selector = tree["spec"].get("selector") or tree["spec"]["podSelector"]
                assert len(selected(workloads(trees), selector["matchLabels"])) == 1


def test_services_lead_to_ports_that_the_pods_have() -> None:
    trees = render("everything")
    for service in (tree for tree in trees if tree["kind"] == "Service"):
        (name,) = selected(workloads(trees), service["spec"]["selector"])
        (workload,) = (tree for tree in workloads(trees) if tree["metadata"]["name"] == name)
        ports = {port.get("name"): port["containerPort"] for port in container(workload)["ports"]}
        for port in service["spec"]["ports"]:
            assert ports[port["targetPort"]] == port["port"]


def test_services_have_both_families_where_the_cluster_has() -> None:
    for service in (tree for tree in render() if tree["kind"] == "Service"):
        assert service["spec"]["ipFamilyPolicy"] == "PreferDualStack"


def test_discovery_by_dns_names_those_that_are_not_ready_too() -> None:
    for name in ("ks-kubesonar-members", "ks-kubesonar-host-members"):
        spec = one(render("everything"), "Service", name)["spec"]
        assert (spec["clusterIP"], spec["publishNotReadyAddresses"]) == ("None", True)


def test_agents_are_known_by_the_port_in_their_label() -> None:
    for tree in (t for t in render("everything") if t["kind"] == "DaemonSet"):
        labels = tree["spec"]["template"]["metadata"]["labels"]
        assert labels["kubesonar.io/port"] == str(container(tree)["ports"][0]["containerPort"])


def test_labels_of_the_values_never_replace_those_of_the_selector() -> None:
    labels = one(render("everything"), "DaemonSet", "ks-kubesonar")["spec"]["template"]["metadata"]["labels"]
    assert labels["team"] == "net"
    assert labels["app.kubernetes.io/name"] == "kubesonar"


@pytest.mark.parametrize("name", ["ks-kubesonar", "ks-kubesonar-host"])
def test_an_agent_is_told_who_it_is(name: str) -> None:
    variables = environment(one(render("everything"), "DaemonSet", name))
    fields = {
        "KUBESONAR_MEMBER_NAME": "metadata.name",
        "KUBESONAR_MEMBER_NODE": "spec.nodeName",
        "KUBESONAR_MEMBER_ADDRESSES": "status.podIPs",
    }
    assert {key: variables[key]["fieldRef"]["fieldPath"] for key in fields} == fields


def test_the_ingress_forwards_the_answer_to_a_probe_and_nothing_else() -> None:
    trees = render("everything")
    (rule,) = one(trees, "Ingress")["spec"]["rules"]
    (path,) = rule["http"]["paths"]
    assert (path["path"], path["pathType"]) == ("/healthz", "Exact")
    (route,) = one(trees, "HTTPRoute")["spec"]["rules"]
    assert [match["path"] for match in route["matches"]] == [{"type": "Exact", "value": "/healthz"}]


DOCUMENTED: dict[str, set[str]] = {
    # https://prometheus-operator.dev/docs/api-reference/api/
    "ServiceMonitor": {"jobLabel", "namespaceSelector", "selector", "endpoints"},
    "PodMonitor": {"jobLabel", "namespaceSelector", "selector", "podMetricsEndpoints"},
    "endpoint": {"port", "interval", "relabelings", "metricRelabelings", "authorization", "scheme", "tlsConfig"},
    # https://gateway-api.sigs.k8s.io/reference/spec/#httproutespec
    "HTTPRoute": {"parentRefs", "hostnames", "rules"},
    "rule": {"matches", "backendRefs"},
    "backend": {"name", "port"},
}


def unknown(trees: tuple[Tree, ...]) -> list[Any]:
    found: list[Any] = []
    for tree in (t for t in trees if t["kind"] in CUSTOM):
        spec = tree["spec"]
        found += set(spec) - DOCUMENTED[tree["kind"]]
        for endpoint in [*spec.get("endpoints", ()), *spec.get("podMetricsEndpoints", ())]:
            found += set(endpoint) - DOCUMENTED["endpoint"]
        for rule in spec.get("rules", ()):
            found += set(rule) - DOCUMENTED["rule"]
            found += [key for backend in rule["backendRefs"] for key in set(backend) - DOCUMENTED["backend"]]
    return found


@pytest.mark.parametrize("flags", [("everything",), SETS["kubenurse and everything"]])
def test_custom_resources_have_documented_fields_only(flags: tuple[str, ...]) -> None:
    assert unknown(render(*flags)) == []


def test_monitors_name_ports_that_exist() -> None:
    trees = render(*SETS["kubenurse and everything"])
    services = {p["name"] for t in trees if t["kind"] == "Service" for p in t["spec"]["ports"]}
    for monitor in (t for t in trees if t["kind"] == "ServiceMonitor"):
        assert {e["port"] for e in monitor["spec"]["endpoints"]} <= services
    pods = {p.get("name") for t in trees if t["kind"] in ("DaemonSet", "Deployment") for p in container(t)["ports"]}
    for monitor in (t for t in trees if t["kind"] == "PodMonitor"):
        assert {e["port"] for e in monitor["spec"]["podMetricsEndpoints"]} <= pods


def test_a_changed_configuration_makes_new_pods() -> None:
    def mark(*flags: str) -> str:
        template = one(render(*flags), "DaemonSet")["spec"]["template"]
        return str(template["metadata"]["annotations"]["kubesonar.io/config"])

    assert mark() != mark("--set", "config.schedule.members=5")


def test_extra_objects_are_rendered_as_trees_and_as_text() -> None:
    assert {"ks-extra", "ks-text"} <= set(named(render("everything"), "ConfigMap"))


def test_two_agents_of_a_node_need_two_ports() -> None:
    said = refusal("--set", "hostNetwork.enabled=true,hostNetwork.port=7473")
    assert "hostNetwork.port and agent.port must differ" in said


def test_the_ingress_needs_a_host() -> None:
    assert "ingress.host" in refusal("--set", "ingress.enabled=true")


def test_no_image_of_somebody_elses_registry_is_named() -> None:
    assert re.search(r"repository: [a-z]+/[a-z]+$", (CHART / "values.yaml").read_text(), re.MULTILINE)
