"""The chart, as helm renders it, installed in the API double: its pods run, and servers of a test answer for them."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import msgspec

from tests.apps.listening import Answering, answer, answers, on_sockets, snapshots
from tests.core.mesh import Mesh
from tests.deploy.rendering import render
from tests.kube.apiserver import ApiServer

NAMESPACE = "mon"
TOKEN = "secret-token"
COLLECTOR = "ks-kubesonar-collector-5f7b9"
AGENTS = ("--set", "hostNetwork.enabled=true")
JUDGING = ("--set", "config.coordinator.judge=true", "--set", "agent.resources.limits.memory=256Mi")
COLLECTED = ("--set", "collector.enabled=true")
PLAIN = ("--set", "collector.createCertificate=false")

Tree = dict[str, Any]


@contextlib.contextmanager
def agents(api: ApiServer, folder: Path, mesh: Mesh, *flags: str) -> Iterator[None]:
    """A release whose agents tell what the members of a simulated mesh would."""
    install(api, mesh, *(flags or AGENTS))
    with on_sockets(folder, answers(mesh)):
        for member in mesh.members:
            port = 7473 if member.network == "pod" else 7474
            api.switches.streams.listening[member.name, port] = str(folder / f"{member.name}.sock")
        yield


@contextlib.contextmanager
def judging(api: ApiServer, folder: Path, served: Answering, coordinator: str) -> Iterator[None]:
    """A release of agents that name this coordinator, beside which a collector answers so."""
    mesh = Mesh()
    install(api, mesh, *JUDGING)
    told = [
        msgspec.structs.replace(one, coordinator=coordinator)
        for one in snapshots(mesh).values()
        if not isinstance(one, str)
    ]
    agents = {one.member.name: answer(msgspec.json.encode(one)) for one in told}
    with on_sockets(folder, {**agents, "beside": served}):
        listening = api.switches.streams.listening
        for name in agents:
            listening[name, 7473] = str(folder / f"{name}.sock")
        listening[coordinator, 7475] = str(folder / "beside.sock")
        yield


@contextlib.contextmanager
def collector(api: ApiServer, folder: Path, served: Answering, *flags: str) -> Iterator[None]:
    """A release with a collector that answers so, without TLS."""
    install(api, Mesh(), *COLLECTED, *PLAIN, *flags)
    with on_sockets(folder, {"collector": served}):
        api.switches.streams.listening[COLLECTOR, 7475] = str(folder / "collector.sock")
        yield


def install(api: ApiServer, mesh: Mesh, *flags: str, release: str = "ks", namespace: str = NAMESPACE) -> None:
    """Makes the pods of a release, and the Secret that its hook would make."""
    for tree in render(*flags, release=release):
        if tree["kind"] == "ConfigMap":
            api.put("configmaps", {**tree, "metadata": {**tree["metadata"], "namespace": namespace}})
            continue
        labels = tree["spec"]["template"]["metadata"]["labels"] if tree["kind"] in ("DaemonSet", "Deployment") else {}
        if tree["kind"] == "Deployment":
            _run(api, tree, COLLECTOR.replace("ks-", f"{release}-", 1), namespace)
        for member in mesh.members:
            if labels.get("kubesonar.io/network") == member.network:
                _run(api, tree, member.name, namespace, member.node)
    data = {"token": base64.b64encode(TOKEN.encode()).decode(), "keys": ""}
    api.put("secrets", {"metadata": {"name": f"{release}-kubesonar-keys", "namespace": namespace}, "data": data})


def _run(api: ApiServer, workload: Mapping[str, Any], name: str, namespace: str, node: str = "node-1") -> None:
    template = deepcopy(workload["spec"]["template"])
    condition = {"type": "Ready", "status": "True"}
    api.put(
        "pods",
        {
            "metadata": {**template["metadata"], "name": name, "namespace": namespace},
            "spec": {**template["spec"], "nodeName": node},
            "status": {"phase": "Running", "conditions": [condition]},
        },
    )
