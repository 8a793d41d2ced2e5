"""What the agents may do, in the cluster and on the node: as little as their work takes."""

from __future__ import annotations

import pytest
import yaml

from tests.deploy.pod_security import violations
from tests.deploy.rendering import Tree, container, named, one, refusal, render
from tests.deploy.rights import rights


def pod(tree: Tree) -> Tree:
    return dict(tree["spec"]["template"]["spec"])


@pytest.mark.parametrize("flags", [(), ("everything",), ("kubenurse",)])
def test_agents_in_the_pod_network_the_collector_and_the_job_keep_to_the_restricted_standard(
    flags: tuple[str, ...],
) -> None:
    trees = [tree for tree in render(*flags) if tree["kind"] in ("DaemonSet", "Deployment", "Job")]
    for tree in trees:
        if not pod(tree).get("hostNetwork"):
            assert violations(pod(tree)) == [], tree["metadata"]["name"]


def test_agents_in_the_host_network_break_it_by_that_alone() -> None:
    (host,) = (t for t in render("--set", "hostNetwork.enabled=true") if t["metadata"]["name"] == "ks-kubesonar-host")
    assert violations(pod(host)) == ["hostNetwork", "agent: host port"]
    assert pod(host)["dnsPolicy"] == "ClusterFirstWithHostNet"


def test_root_and_a_capability_only_where_pinging_needs_them_and_somebody_said_so() -> None:
    host = one(render("everything"), "DaemonSet", "ks-kubesonar-host")
    assert violations(pod(host)) == ["hostNetwork", "agent: capabilities are added", "agent: root", "agent: host port"]
    assert container(host)["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": ["NET_RAW"]}


@pytest.mark.parametrize("flags", [(), ("everything",), ("kubenurse",)])
def test_every_root_file_system_is_read_only(flags: tuple[str, ...]) -> None:
    for tree in (tree for tree in render(*flags) if tree["kind"] in ("DaemonSet", "Deployment", "Job")):
        assert container(tree)["securityContext"]["readOnlyRootFilesystem"] is True


def test_nobody_is_restarted_for_want_of_an_api_server() -> None:
    agent = container(one(render(), "DaemonSet"))
    assert {agent[probe]["httpGet"]["path"] for probe in ("startupProbe", "livenessProbe")} == {"/healthz"}
    assert agent["readinessProbe"]["httpGet"]["path"] == "/readyz"


def test_no_cpu_limit() -> None:
    resources = container(one(render(), "DaemonSet"))["resources"]
    assert resources == {"requests": {"cpu": "30m", "memory": "48Mi"}, "limits": {"memory": "96Mi"}}


def test_no_mesh_puts_a_proxy_into_any_pod() -> None:
    for tree in (tree for tree in render("everything") if tree["kind"] in ("DaemonSet", "Job")):
        metadata = tree["spec"]["template"]["metadata"]
        assert metadata["labels"]["sidecar.istio.io/inject"] == "false"
        assert metadata["annotations"]["linkerd.io/inject"] == "disabled"
    allowed = one(render("--set", "meshSidecars=true"), "DaemonSet")["spec"]["template"]["metadata"]
    assert not [key for key in [*allowed["labels"], *allowed["annotations"]] if "inject" in key]


def test_agents_have_these_rights_and_no_others() -> None:
    assert rights(render(), "ks-kubesonar") == {
        ("mon", "pods", "*", "list watch"),
        ("mon", "services", "ks-kubesonar", "list watch"),
        ("", "nodes", "*", "list watch"),
        ("kube-system", "endpointslices", "*", "list watch"),
        ("kube-system", "services", "kube-dns", "list watch"),
    }


def test_rights_follow_where_the_configuration_looks_for_dns() -> None:
    assert {("dns", "endpointslices", "*", "list watch"), ("dns", "services", "coredns", "list watch")} <= rights(
        render("everything"), "ks-kubesonar-collector"
    )


def test_a_lease_brings_the_rights_that_it_needs() -> None:
    with_lease = rights(render("--set", "config.lease.name=told"), "ks-kubesonar") - rights(render(), "ks-kubesonar")
    assert with_lease == {
        ("mon", "leases", "*", "create"),
        ("mon", "leases", "told", "get patch"),
        ("mon", "leases", "told-host", "get patch"),
    }


def test_the_job_may_make_a_secret_and_look_at_its_own() -> None:
    assert rights(render(), "ks-kubesonar-keys") == {
        ("mon", "secrets", "*", "create"),
        ("mon", "secrets", "ks-kubesonar-keys", "get"),
    }


def test_rights_that_are_not_wanted_are_not_asked_for() -> None:
    trees = render("--set", "rbac.nodes=false,rbac.dns=false")
    assert named(trees, "ClusterRole") == []
    assert {tree["metadata"]["namespace"] for tree in trees if tree["kind"] == "Role"} == {"mon"}
    assert named(render("--set", "rbac.create=false,keys.create=false"), "Role") == []


def test_releases_of_one_name_in_two_namespaces_share_no_object() -> None:
    review = "collector.enabled=true,collector.config.reports.auth=review,doctor.kind=Deployment,doctor.repair=on"
    outside = [t["metadata"] for t in render("--set", review) if t["metadata"].get("namespace") != "mon"]
    assert len(outside) > 8
    assert [metadata["name"] for metadata in outside if not metadata["name"].startswith("mon-ks-kubesonar-")] == []


def test_no_name_is_cut_to_that_of_another_object() -> None:
    everything = "collector.enabled=true,collector.replicas=2,collector.createCertificate=true,hostNetwork.enabled=true"
    doctor = (
        "collector.config.reports.auth=review,doctor.kind=Deployment,doctor.repair=on,doctor.service.namespace=default"
    )
    for name in ("a" * 40, "a" * 63):
        trees = render("--set", f"fullnameOverride={name},{everything},{doctor}")
        ids = [(t["kind"], t["metadata"].get("namespace", ""), t["metadata"]["name"]) for t in trees]
        assert [id for id in ids if ids.count(id) > 1] == []


def test_the_keys_are_made_before_the_agents_and_never_by_helm() -> None:
    trees = render()
    assert named(trees, "Secret") == []
    job = one(trees, "Job")
    assert container(job)["args"] == ["keys", "make", "--secret", "ks-kubesonar-keys"]
    weights = {
        tree["kind"]: int(tree["metadata"]["annotations"]["helm.sh/hook-weight"])
        for tree in trees
        if tree["metadata"].get("annotations", {}).get("helm.sh/hook") == "pre-install,pre-upgrade"
    }
    assert weights["ServiceAccount"] <= weights["Role"] < weights["RoleBinding"] < weights["Job"]


def test_rendering_twice_gives_the_same() -> None:
    render.cache_clear()
    first = render("everything")
    render.cache_clear()
    assert first == render("everything")


def test_a_secret_that_is_there_is_used_as_it_is() -> None:
    trees = render("--set", "keys.existingSecret=mine")
    assert named(trees, "Job") == []
    (secret,) = (v["secret"] for v in pod(one(trees, "DaemonSet"))["volumes"] if "secret" in v)
    assert secret["secretName"] == "mine"


def test_what_host_agents_know_is_read_with_a_token_only() -> None:
    trees = render("everything")
    config = yaml.safe_load(one(trees, "ConfigMap", "ks-kubesonar-config")["data"]["host.yaml"])
    assert config["api"]["token_file"] == "/etc/kubesonar/keys/token"
    (endpoint,) = one(trees, "PodMonitor", "ks-kubesonar-host")["spec"]["podMetricsEndpoints"]
    assert endpoint["authorization"]["credentials"] == {"name": "ks-kubesonar-keys", "key": "token"}
    assert "read with a token" in refusal("--set", "hostNetwork.enabled=true,keys.create=false")
    opened = render("--set", "hostNetwork.enabled=true,hostNetwork.openReads=true,keys.create=false")
    assert "api" not in yaml.safe_load(one(opened, "ConfigMap")["data"]["host.yaml"])


def test_linux_nodes_only_whatever_their_taints() -> None:
    spec = pod(one(render(), "DaemonSet"))
    assert spec["nodeSelector"] == {"kubernetes.io/os": "linux"}
    assert spec["tolerations"] == [{"operator": "Exists"}]


def test_the_policy_lets_agents_reach_each_other_and_others_reach_their_ports() -> None:
    spec = one(render("everything"), "NetworkPolicy", "ks-kubesonar")["spec"]
    each_other, ports = spec["ingress"]
    assert "ports" not in each_other
    assert {(port["port"], port["protocol"]) for port in ports["ports"]} == {(7473, "TCP"), (7473, "UDP")}
    assert spec["policyTypes"] == ["Ingress"]
