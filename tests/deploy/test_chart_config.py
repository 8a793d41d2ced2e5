"""The configuration that the chart writes is one that an agent takes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from kubesonar.apps.agent.options import AgentOptions
from kubesonar.compat.kubenurse import settings
from kubesonar.config import from_command_line
from tests.deploy.rendering import ROOT, environment, one, refusal, render

FIELDS = {
    "metadata.name": "ks-kubesonar-x2x4z",
    "spec.nodeName": "node-1",
    "status.podIPs": "10.0.1.2,fd00:1::2",
}


def environ(flags: tuple[str, ...], name: str) -> dict[str, str]:
    """What the kubelet would set."""
    variables = environment(one(render(*flags), "DaemonSet", name))
    return {key: v if isinstance(v, str) else FIELDS[v["fieldRef"]["fieldPath"]] for key, v in variables.items()}


def options(folder: Path, *flags: str, network: str = "pod", prefix: str = "ks-kubesonar") -> AgentOptions:
    """As an agent reads them: the file of the ConfigMap, and the pod's environment."""
    config = one(render(*flags), "ConfigMap", f"{prefix}-config")["data"][f"{network}.yaml"]
    (folder / "agent.yaml").write_text(config)
    variables = environ(flags, prefix if network == "pod" else f"{prefix}-host")
    variables["KUBESONAR_CONFIG"] = str(folder / "agent.yaml")
    return from_command_line(AgentOptions, (), variables, program="kubesonar agent", summary="").tree


def test_the_default_finds_members_and_signs(tmp_path: Path) -> None:
    tree = options(tmp_path)
    assert (tree.member.name, tree.member.node) == ("ks-kubesonar-x2x4z", "node-1")
    assert tree.member.own_addresses == ("10.0.1.2", "fd00:1::2")
    assert (tree.member.network, tree.member.port) == ("pod", 7473)
    assert tree.roster.source == "kubernetes"
    assert tree.roster.dns.name == "ks-kubesonar-members.mon.svc.cluster.local."
    assert tree.cluster.service.name == "ks-kubesonar"
    assert tree.keys.file == "/etc/kubesonar/keys/keys"
    assert tree.rooms == ()
    assert tree.cluster.ingress.url == ""


def test_everything_that_can_be_switched_on(tmp_path: Path) -> None:
    tree = options(tmp_path, "everything")
    assert tree.schedule.members == 12
    assert tree.http.body == 1_048_576
    assert tree.cluster.ingress.url == "https://sonar.example.org/healthz"
    assert tree.cluster.dns.name == "coredns"
    assert tree.log.level == "debug"


def test_values_in_the_page_on_webhooks_are_taken(tmp_path: Path) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / "webhooks.md").read_text(), re.DOTALL)
    values = tmp_path / "values.yaml"
    values.write_text(next(block for block in blocks if block.startswith("config:")))
    tree = options(tmp_path, "-f", str(values))
    pod = one(render("-f", str(values)), "DaemonSet", "ks-kubesonar")["spec"]["template"]["spec"]
    mounts = [mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]]
    assert tree.notify.directory in mounts
    assert tree.notify.receivers[0].secret_file.rpartition("/")[0] in mounts


def test_agents_in_the_host_network_differ_by_port_headless_service_and_what_the_values_say(tmp_path: Path) -> None:
    tree = options(tmp_path, "everything", network="host")
    assert (tree.member.network, tree.member.port, tree.member.bind) == ("host", 7474, ("0.0.0.0",))
    assert tree.roster.dns.name == "ks-kubesonar-host-members.mon.svc.cluster.local."
    assert tree.api.token_file == "/etc/kubesonar/keys/token"
    assert tree.plan.icmp.period == 10.0
    assert tree.schedule.members == 12


def test_the_older_listener_is_a_room_of_the_pod_agents_only(tmp_path: Path) -> None:
    flags = ("kubenurse", "--set", "hostNetwork.enabled=true")
    assert options(tmp_path, *flags, prefix="ks-kubenurse").rooms == ("kubenurse",)
    assert options(tmp_path, *flags, prefix="ks-kubenurse", network="host").rooms == ()


def test_the_older_listener_is_told_what_the_older_values_say() -> None:
    variables = environ(("kubenurse",), "ks-kubenurse")
    told = settings.kubenurse_settings(variables)
    assert settings.misspelt_variables(variables) == []
    assert told.ingress_url == "https://kubenurse.example.org"
    assert told.service_url == "http://ks-kubenurse.mon.svc.cluster.local:8080"
    assert (told.namespace, told.neighbour_filter) == ("mon", "app.kubernetes.io/name=kubenurse")
    assert (told.neighbour_limit, told.check_interval, told.insecure, told.use_tls) == (20, 10.0, False, True)
    assert [extra.name for extra in told.extra_checks] == ["web", "git"]
    assert told.histogram_buckets[0] == 0.0005
    assert (told.pod_name, told.node_name) == ("ks-kubesonar-x2x4z", "node-1")


def test_without_older_values_it_is_told_the_older_charts_defaults() -> None:
    told = settings.kubenurse_settings(environ(("--set", "kubenurse.enabled=true"), "ks-kubenurse"))
    assert told.insecure
    assert told.ingress_url == "https://dummy-kubenurse.example.com"
    assert told == settings.KubenurseSettings(
        insecure=True,
        ingress_url=told.ingress_url,
        service_url="http://ks-kubenurse.mon.svc.cluster.local:8080",
        namespace="mon",
        neighbour_filter="app.kubernetes.io/name=kubenurse",
        pod_name=told.pod_name,
        node_name=told.node_name,
    )


@pytest.mark.parametrize("key", ["name", "node", "addresses", "network", "port", "bind"])
def test_what_the_chart_sets_cannot_be_set_twice(key: str) -> None:
    for where in ("config", "hostNetwork.config"):
        assert f"config.member.{key} is the chart's to set" in refusal("--set", f"{where}.member.{key}=x")


def test_a_bad_key_is_refused_before_anything_is_installed() -> None:
    assert "member" in refusal("--set", "config.schedule.member=5")


JUDGING = ("--set", "config.coordinator.judge=true", "--set", "agent.resources.limits.memory=256Mi")


def test_a_coordinator_that_judges_is_reached_by_all_agents(tmp_path: Path) -> None:
    page = 'config.coordinator.page_address="http://{address}:7475"'
    for network, host in (("pod", "false"), ("host", "true")):
        flags = ("--set", f"hostNetwork.enabled={host}", "--set-json", page)
        tree = options(tmp_path, *JUDGING, *flags, network=network)
        assert (tree.coordinator.judge, tree.coordinator.port) == (True, 7475)
        assert tree.coordinator.page_at("10.0.0.1") == "http://10.0.0.1:7475"
    policy = one(render(*JUDGING, "--set", "networkPolicy.enabled=true"), "NetworkPolicy")["spec"]["ingress"][1]
    assert {port["port"] for port in policy["ports"]} == {7473, 7475}


def test_a_name_leads_to_all_agents_of_which_one_coordinates_and_judges() -> None:
    def named(*flags: str) -> list[Any]:
        return [one for one in render(*flags) if one["metadata"]["name"] == "ks-kubesonar-coordinator"]

    assert named() == []
    (service,) = named(*JUDGING, "--set", "config.coordinator.port=7480")
    assert (service["kind"], service["spec"]["clusterIP"]) == ("Service", "None")
    assert [port["port"] for port in service["spec"]["ports"]] == [7480]
    assert service["spec"]["selector"]["kubesonar.io/network"] == "pod"


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (("--set", "collector.enabled=true"), "set it or collector.enabled, not both"),
        (("--set", "keys.create=false"), "set keys.create or keys.existingSecret"),
        (("--set", "agent.resources.limits.memory=96Mi"), "set agent.resources.limits.memory to 256Mi or more"),
    ],
)
def test_a_coordinator_that_could_not_judge_is_refused(flags: tuple[str, ...], why: str) -> None:
    assert why in refusal(*JUDGING, *flags)
