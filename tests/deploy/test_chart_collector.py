"""The collector of the chart: both programs take what the chart tells them, and fit together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from kubesonar.apps.agent.options import AgentOptions
from kubesonar.apps.collector.options import CollectorOptions
from kubesonar.config import resolve
from kubesonar.reports.options import ReportAuthority
from tests.deploy.rendering import Tree, container, one, refusal, render

ON = ("--set", "collector.enabled=true")
TLS = ("--set", "collector.enabled=true,collector.tlsSecretName=certificate,hostNetwork.enabled=true")
NAME = "ks-kubesonar-collector"


def read(folder: Path, text: str, schema: type[Any]) -> Any:
    file = folder / "config.yaml"
    file.write_text(text)
    return resolve(schema, ["--config", str(file)], {}).tree


def collector(folder: Path, *flags: str) -> CollectorOptions:
    found: CollectorOptions = read(
        folder, one(render(*flags), "ConfigMap", NAME)["data"]["collector.yaml"], CollectorOptions
    )
    return found


def agent(folder: Path, *flags: str, file: str = "pod.yaml") -> AgentOptions:
    found: AgentOptions = read(
        folder, one(render(*flags), "ConfigMap", "ks-kubesonar-config")["data"][file], AgentOptions
    )
    return found


def volume(tree: Tree, name: str) -> Tree:
    (found,) = (one for one in tree["spec"]["template"]["spec"]["volumes"] if one["name"] == name)
    return dict(found)


def test_without_one_nothing_is_made_and_nobody_reports(tmp_path: Path) -> None:
    assert not [tree for tree in render() if "collector" in tree["metadata"]["name"]]
    assert agent(tmp_path).reports.to == ()


def test_it_takes_the_reports_of_the_chart_s_agents_and_nobody_else_s(tmp_path: Path) -> None:
    taken = collector(tmp_path, *ON).reports
    assert taken.auth is ReportAuthority.REVIEW
    assert taken.account == f"mon/{one(render(*ON), 'ServiceAccount', 'ks-kubesonar')['metadata']['name']}"
    for name in ("ks-kubesonar", "ks-kubesonar-host"):
        pods = one(render(*TLS), "DaemonSet", name)
        (source,) = volume(pods, "report-token")["projected"]["sources"]
        assert source["serviceAccountToken"]["audience"] == taken.audience
        mounts = {mount["name"]: mount["mountPath"] for mount in container(pods)["volumeMounts"]}
        file = "host.yaml" if name.endswith("host") else "pod.yaml"
        reports = agent(tmp_path, *TLS, file=file).reports
        assert reports.token_file == f"{mounts['report-token']}/{source['serviceAccountToken']['path']}"
        assert reports.ca_file == f"{mounts['collector-ca']}/ca.crt"
        assert pods["spec"]["template"]["spec"]["serviceAccountName"] == "ks-kubesonar"


@pytest.mark.parametrize(("flags", "scheme"), [(ON, "http"), (TLS, "https")])
def test_agents_report_to_its_service(tmp_path: Path, flags: tuple[str, ...], scheme: str) -> None:
    service = one(render(*flags), "Service", NAME)
    (port,) = service["spec"]["ports"]
    assert agent(tmp_path, *flags).reports.to == (f"{scheme}://{NAME}.mon.svc.cluster.local:{port['port']}",)
    (listen,) = collector(tmp_path, *flags).listen
    assert listen.address == f":{port['port']}"
    assert bool(listen.certificate_file) is (scheme == "https")
    probe = container(one(render(*flags), "Deployment", NAME))["readinessProbe"]["httpGet"]
    assert probe["scheme"] == scheme.upper()


def test_it_may_review_tokens_and_read_pods_of_its_namespace_and_nothing_else() -> None:
    rules = {
        (tree["kind"], verb, resource)
        for tree in render(*ON)
        if tree["kind"] in ("Role", "ClusterRole") and "collector" in tree["metadata"]["name"]
        for rule in tree["rules"]
        for verb in rule["verbs"]
        for resource in rule["resources"]
    }
    assert rules == {("ClusterRole", "create", "tokenreviews"), ("Role", "get", "pods")}


def test_reading_needs_the_token_of_the_keys(tmp_path: Path) -> None:
    assert collector(tmp_path, *ON).api.token_file == "/etc/kubesonar/keys/token"
    assert volume(one(render(*ON), "Deployment", NAME), "token")["secret"]["secretName"] == "ks-kubesonar-keys"
    said = refusal("--set", "collector.enabled=true,collector.nodePort=31080,keys.create=false")
    assert "collector.nodePort: what the collector knows is read with a token" in said


def test_its_own_configuration_goes_before_the_chart_s(tmp_path: Path) -> None:
    options = collector(tmp_path, *ON, "--set", "collector.config.agents.interval=5s")
    assert options.agents.interval == 5.0
    assert options.store.directory == "/var/lib/kubesonar"


def test_a_changed_configuration_makes_a_new_pod() -> None:
    def note(*flags: str) -> str:
        meta: Tree = one(render(*ON, *flags), "Deployment", NAME)["spec"]["template"]["metadata"]
        return str(meta["annotations"]["kubesonar.io/config"])

    assert note() != note("--set", "collector.config.agents.interval=5s")


def test_its_incidents_are_on_a_claim_where_one_is_named() -> None:
    assert "emptyDir" in volume(one(render(*ON), "Deployment", NAME), "store")
    claimed = one(render(*ON, "--set", "collector.existingClaim=incidents"), "Deployment", NAME)
    assert volume(claimed, "store")["persistentVolumeClaim"] == {"claimName": "incidents"}
    assert yaml.safe_dump(claimed).count("fsGroup") == 1
