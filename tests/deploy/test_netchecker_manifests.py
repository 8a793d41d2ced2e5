"""deploy/netchecker: what it sets is what the programs read, may do no more than it must, and is where netchecker's
users look for it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from kubesonar.compat.netchecker.agent.settings import AGENT_FLAGS, AgentSettings
from kubesonar.compat.netchecker.flags import settings_of
from kubesonar.compat.netchecker.server.settings import SERVER_FLAGS, ServerSettings
from tests.deploy.pod_security import violations
from tests.deploy.rendering import CHART, helm, newest

FOLDER = Path(__file__).parents[2] / "deploy/netchecker"


def trees(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((FOLDER / name).read_text()))


def deployed(**environ: str) -> list[dict[str, Any]]:
    """What deploy.sh would apply."""
    command = ["sh", str(FOLDER / "deploy.sh")]
    environ = {"PATH": os.environ["PATH"], "DRY_RUN": "true", **environ}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True)
    return list(yaml.safe_load_all(done.stdout))


def container(tree: dict[str, Any]) -> dict[str, Any]:
    (found,) = tree["spec"]["template"]["spec"]["containers"]
    assert isinstance(found, dict)
    return found


def of_kind(given: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [tree for tree in given if tree["kind"] == kind]


def test_the_server_has_the_rights_that_it_uses_and_flags_that_it_knows() -> None:
    given = trees("server.yaml")
    (role,) = of_kind(given, "ClusterRole")
    assert {(*rule["resources"], *rule["verbs"]) for rule in role["rules"]} == {
        ("pods", "list"),
        ("agents", "get", "list", "create", "update", "delete"),
        ("customresourcedefinitions", "create"),
    }
    (deployment,) = of_kind(given, "Deployment")
    assert violations(deployment["spec"]["template"]["spec"]) == []
    settings = settings_of("netchecker-server", ServerSettings, SERVER_FLAGS, container(deployment)["args"])
    assert settings is not None and settings.kubeproxyinit
    (service,) = of_kind(given, "Service")
    assert (service["metadata"]["name"], service["spec"]["ports"][0]["nodePort"]) == ("netchecker-service", 31081)
    assert service["spec"]["selector"] == deployment["spec"]["template"]["metadata"]["labels"]


def test_agents_are_labelled_as_the_server_looks_for_them_within_kubesprays_limits() -> None:
    pod, host = of_kind(trees("agents.yaml"), "DaemonSet")
    for tree in (pod, host):
        template = tree["spec"]["template"]
        assert template["metadata"]["labels"] == tree["spec"]["selector"]["matchLabels"]
        assert template["metadata"]["labels"]["app"] == tree["metadata"]["name"]
        assert set(violations(template["spec"])) <= {"hostNetwork"}
        assert container(tree)["resources"]["limits"] == {"cpu": "30m", "memory": "100M"}
        assert {variable["name"] for variable in container(tree)["env"]} == {"MY_POD_NAME", "MY_NODE_NAME"}
        assert settings_of("netchecker-agent", AgentSettings, AGENT_FLAGS, container(tree)["args"])
    assert (pod["metadata"]["name"], host["metadata"]["name"]) == ("netchecker-agent", "netchecker-agent-hostnet")
    assert host["spec"]["template"]["spec"]["dnsPolicy"] == "ClusterFirstWithHostNet"


def rendered(chart: str, *flags: str) -> list[dict[str, Any]]:
    """The objects of a chart in the namespace default."""
    done = helm(newest(), "template", "x", str(CHART.parent / chart), "-n", "default", *flags)
    assert done.returncode == 0, done.stderr
    return [tree for tree in yaml.safe_load_all(done.stdout) if tree]


def in_order(given: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(given, key=lambda tree: (tree["kind"], tree["metadata"]["name"]))


@pytest.mark.parametrize(
    ("chart", "manifests"), [("netchecker-server", "server.yaml"), ("netchecker-agent", "agents.yaml")]
)
def test_charts_and_manifests_are_the_same(chart: str, manifests: str) -> None:
    assert in_order(rendered(chart)) == in_order(trees(manifests))


def test_the_charts_take_the_values_of_the_originals() -> None:
    values = {
        "app.name": "checker", "image.repository": "example/server", "image.tag": "1", "image.pullPolicy": "Always",
        "container.port": "9000", "container.hostPort": "9001", "container.args[0]": "-v=1", "service.name": "s",
        "service.externalPort": "80", "service.internalPort": "9000", "service.nodePort": "30001",
        "rbac.serviceaccount": "nechecker-operator", "rbac.clusterrole": "r", "rbac.clusterrolebinding": "b",
    }  # fmt: skip
    given = rendered("netchecker-server", *(f"--set={name}={value}" for name, value in values.items()))
    (deployment,), (service,) = of_kind(given, "Deployment"), of_kind(given, "Service")
    assert deployment["spec"]["template"]["spec"]["serviceAccountName"] == "nechecker-operator"
    assert container(deployment)["ports"] == [{"containerPort": 9000, "hostPort": 9001}]
    assert (container(deployment)["image"], container(deployment)["args"][0]) == ("example/server:1", "-v=1")
    assert service["spec"]["ports"][0] == {"protocol": "TCP", "port": 80, "targetPort": 9000, "nodePort": 30001}
    assert service["spec"]["selector"] == {"app": "checker"}
    etcd = rendered("netchecker-server", "--set=rbac.resources=false", "--set=service.type=ClusterIP")
    assert of_kind(etcd, "ClusterRole")[0]["rules"] == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]
    assert "nodePort" not in of_kind(etcd, "Service")[0]["spec"]["ports"][0]
    agents = rendered("netchecker-agent", "--set=agents.names={netchecker-agent}", "--set=image.tag=2")
    (agent,) = of_kind(agents, "DaemonSet")
    assert container(agent)["image"] == "kubesonar/netchecker-agent:2"


def test_the_script_without_variables_applies_the_manifests_as_they_are() -> None:
    assert deployed() == trees("server.yaml") + trees("agents.yaml")


def test_the_script_heeds_the_variables_of_the_original() -> None:
    given = deployed(
        NS="checks",
        NODE_PORT="30001",
        SERVER_PORT="9000",
        AGENT_REPORT_INTERVAL="15",
        SERVER_IMAGE_NAME="example/server",
        AGENT_IMAGE_NAME="example/agent",
        IMAGE_TAG="1.2",
        USE_ETCD_ENDPOINT="true",
        ETCD_ENDPOINT="http://127.0.0.1:2379",
    )
    assert {tree["metadata"].get("namespace", "checks") for tree in given} == {"checks"}
    (service,) = of_kind(given, "Service")
    assert service["spec"]["ports"] == [{"protocol": "TCP", "port": 9000, "targetPort": 9000, "nodePort": 30001}]
    server, agent = container(of_kind(given, "Deployment")[0]), container(of_kind(given, "DaemonSet")[0])
    assert (server["image"], agent["image"]) == ("example/server:1.2", "example/agent:1.2")
    assert {"-endpoint=0.0.0.0:9000", "-etcd-endpoints=http://127.0.0.1:2379"} <= set(server["args"])
    assert {"-serverendpoint=netchecker-service:9000", "-reportinterval=15"} <= set(agent["args"])


def test_the_script_wants_an_endpoint_of_etcd_where_it_is_to_use_one() -> None:
    with pytest.raises(subprocess.CalledProcessError) as failed:
        deployed(USE_ETCD_ENDPOINT="true")
    assert "ETCD_ENDPOINT" in failed.value.stderr


def test_it_purges_agents_and_server_first() -> None:
    assert len(deployed(PURGE="true")) == 2 * len(deployed())
