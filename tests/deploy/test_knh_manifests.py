"""deploy/knh: what it sets is what the program reads, and may do no more than it must."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from kubesonar.compat.knh.settings import KNH_VARIABLES
from tests.deploy.pod_security import violations

FOLDER = Path(__file__).parents[2] / "deploy/knh"


def trees(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((FOLDER / name).read_text()))


@pytest.mark.parametrize(("name", "kind"), [("daemonset.yaml", "DaemonSet"), ("deployment.yaml", "Deployment")])
def test_pods(name: str, kind: str) -> None:
    (tree,) = trees(name)
    assert tree["kind"] == kind
    spec = tree["spec"]["template"]["spec"]
    assert violations(spec) == []
    (container,) = spec["containers"]
    names = [variable["name"] for variable in container["env"]]
    assert set(names) <= {variable.name for variable in KNH_VARIABLES}
    assert {"POD_IP", "MY_NODE_NAME", "SERVICE_NAME", "NAMESPACE"} <= set(names)
    assert tree["spec"]["selector"]["matchLabels"] == tree["spec"]["template"]["metadata"]["labels"] == {"app": "knh"}


def test_both_have_the_same_pods() -> None:
    (one,), (other,) = trees("daemonset.yaml"), trees("deployment.yaml")
    assert one["spec"]["template"]["spec"]["containers"] == other["spec"]["template"]["spec"]["containers"]


def test_rights() -> None:
    account, role, binding, service = trees("rbac.yaml")
    assert {verb for rule in role["rules"] for verb in rule["verbs"]} == {"list", "watch"}
    assert {resource for rule in role["rules"] for resource in rule["resources"]} == {"endpointslices", "endpoints"}
    assert binding["subjects"][0]["name"] == account["metadata"]["name"]
    assert service["spec"]["selector"] == {"app": "knh"}
    assert role["rules"][1]["resourceNames"] == [service["metadata"]["name"]]
