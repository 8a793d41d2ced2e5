"""`kubectl sonar try`: what it makes, and that nothing of it is left, whatever happens in between."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from kubesonar.apps import kubectl
from kubesonar.apps.agent.options import AgentOptions
from kubesonar.apps.kubectl.trial_objects import TrialPlan, anchor, owned
from kubesonar.config import ConfigError
from kubesonar.config.loading import resolve
from tests.apps.listening import answers, on_sockets
from tests.core.mesh import Mesh
from tests.deploy.pod_security import violations
from tests.kube.apiserver import ApiServer

KINDS = ("jobs", "serviceaccounts", "roles", "rolebindings", "secrets", "configmaps", "services", "daemonsets", "pods")
PLAN = TrialPlan("kubesonar-try-1", "default", "registry.example/kubesonar:1")


@contextmanager
def cluster(folder: Path, mesh: Mesh | None = None) -> Iterator[ApiServer]:
    """An API server with a controller of DaemonSets, whose agents are those of a simulated mesh."""
    mesh = mesh or Mesh()
    ended = threading.Event()
    with ApiServer() as api, on_sockets(folder, answers(mesh)):
        running = mesh.members
        for member in running:
            api.switches.streams.listening[member.name, 7473] = str(folder / f"{member.name}.sock")

        def control() -> None:
            while not ended.wait(0.02):
                _controlled(api, [(member.name, member.node) for member in running])

        thread = threading.Thread(target=control)
        thread.start()
        try:
            yield api
        finally:
            ended.set()
            thread.join()


def _controlled(api: ApiServer, members: list[tuple[str, str]]) -> None:
    sets, _ = api.store.all("daemonsets", lambda _: True)
    pods, _ = api.store.all("pods", lambda _: True)
    if not sets:
        for pod in pods:
            api.delete("pods", pod["metadata"]["name"])
    for each in sets if len(pods) < len(members) else ():
        template = each["spec"]["template"]
        for name, node in members:
            status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
            meta = {**template["metadata"], "name": name}
            api.put("pods", {"metadata": meta, "spec": {**template["spec"], "nodeName": node}, "status": status})
        counts = {"desiredNumberScheduled": len(members), "numberReady": len(members)}
        api.put("daemonsets", {**each, "status": counts})


def _left(api: ApiServer) -> dict[str, list[str]]:
    found = {kind: [tree["metadata"]["name"] for tree in api.store.all(kind, lambda _: True)[0]] for kind in KINDS}
    return {kind: names for kind, names in found.items() if names}


def _command(api: ApiServer, folder: Path, *more: str) -> list[str]:
    return ["try", "--for", "1", *more, "--kubeconfig", api.kubeconfig(folder / "config")]


def test_a_mesh_is_made_asked_and_deleted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with cluster(tmp_path, Mesh(nodes=4).cut("node-3")) as api:
        assert kubectl.main(_command(api, tmp_path)) == 1
        assert _left(api) == {}
        assert {request.resource for request in api.asked("create")} >= {*KINDS[:-1], "pods/portforward"}
    told = capsys.readouterr()
    assert "node-3" in told.out.splitlines()[0]
    assert told.err.endswith("everything is deleted\n")


@pytest.mark.parametrize("kind", ["roles", "configmaps", "daemonsets"])
def test_a_right_that_is_missing_leaves_nothing(tmp_path: Path, kind: str) -> None:
    with cluster(tmp_path) as api:
        api.refuse("create", kind)
        with pytest.raises(ConfigError, match=rf'the trial cannot be made: 403 .* cannot create resource "{kind}"'):
            kubectl.main(_command(api, tmp_path))
        assert _left(api) == {}


def test_what_cannot_be_deleted_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with cluster(tmp_path) as api:
        api.refuse("delete", "daemonsets")
        assert kubectl.main(_command(api, tmp_path)) == 0
        assert set(_left(api)) == {"daemonsets", "pods"}
        (daemon_set,) = api.store.all("daemonsets", lambda _: True)[0]
        assert daemon_set["metadata"]["ownerReferences"][0]["kind"] == "Job"
    assert "not deleted: DaemonSet kubesonar-try-" in capsys.readouterr().err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    with cluster(tmp_path) as api:
        command = [sys.executable, "-m", "kubesonar", "kubectl", *_command(api, tmp_path)]
        command[command.index("1")] = "600"
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ}) as program:
            assert program.stderr is not None
            for line in program.stderr:
                if "agents run in namespace" in line:
                    break
            program.send_signal(number)
            assert program.stderr.read().endswith("everything is deleted\n")
            assert program.wait(20) == 128 + number
        assert _left(api) == {}


def test_a_trial_that_was_left_is_deleted_by_the_next(tmp_path: Path) -> None:
    with cluster(tmp_path) as api:
        old = anchor(TrialPlan("kubesonar-try-old", "default", "x")).tree
        api.put("jobs", {**old, "metadata": {**old["metadata"], "creationTimestamp": "2026-01-01T00:00:00Z"}})
        assert kubectl.main(_command(api, tmp_path)) == 0
        assert _left(api) == {}


def test_a_dry_run_prints_what_would_be_made_and_asks_nobody(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with ApiServer() as api:
        assert kubectl.main(_command(api, tmp_path, "--dry-run", "-n", "lab", "--image", "r/k:2")) == 0
        assert api.log == []
    trees = list(yaml.safe_load_all(capsys.readouterr().out))
    assert [tree["kind"] for tree in trees][0::7] == ["Job", "DaemonSet"]
    assert {tree["metadata"]["namespace"] for tree in trees} == {"lab"}
    assert trees[-1]["spec"]["template"]["spec"]["containers"][0]["image"] == "r/k:2"


@pytest.mark.parametrize("image", ["", " ", "a b", "a\n"])
def test_an_image_that_is_none_is_refused_before_anything_is_made(image: str) -> None:
    with pytest.raises(ConfigError, match=r"^--image: got .*, expected the name of an image$"):
        kubectl.main(["try", "--dry-run", "--kubeconfig", "/nonexistent", "--image", image])


def _trees() -> list[dict[str, Any]]:
    return [each.tree for each in (anchor(PLAN), *owned(PLAN, "uid-1"))]


@pytest.mark.parametrize("version", ["1.28", "1.36"])
def test_the_objects_are_what_kubernetes_takes(version: str) -> None:
    for tree in _trees():
        kubernetes_validate.validate(tree, version, strict=True)


def test_its_pods_keep_the_restricted_standard_and_its_role_the_least_rights() -> None:
    for tree in _trees():
        if "template" in tree.get("spec", {}):
            assert violations(tree["spec"]["template"]["spec"]) == []
        if tree["kind"] == "Role":
            assert tree["rules"] == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]}]


def test_its_configuration_is_one_that_an_agent_takes(tmp_path: Path) -> None:
    (config,) = [tree["data"]["agent.yaml"] for tree in _trees() if tree["kind"] == "ConfigMap"]
    (tmp_path / "agent.yaml").write_text(config)
    environ = {"KUBESONAR_MEMBER_NAME": "a", "KUBESONAR_MEMBER_NODE": "n", "KUBESONAR_MEMBER_ADDRESSES": "10.0.0.1"}
    options = resolve(AgentOptions, ["--config", str(tmp_path / "agent.yaml")], environ).tree
    assert options.roster.kubernetes.selector == "kubesonar.io/trial=kubesonar-try-1,kubesonar.io/port"
