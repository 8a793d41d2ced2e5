"""The rights that the chart asks for are those that its agents use: no less, no more."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from kubesonar.apps.collector.cluster_watch import SharedClusterWatch
from kubesonar.apps.collector.options import CollectorRosterOptions
from kubesonar.apps.keys.rotation import next_key
from kubesonar.kube.auth.loading_rules import from_kubeconfig
from kubesonar.kube.client import Client
from kubesonar.net.clock import SystemClock
from kubesonar.stores.kubernetes import KubernetesStore
from kubesonar.stores.store import Delete, Put
from tests import waiting
from tests.apps.agents import RunningAgent, until
from tests.deploy.rendering import one, render
from tests.deploy.rights import Right, rights, used
from tests.deploy.test_chart_config import environ
from tests.kube import shapes
from tests.kube.apiserver import ApiServer
from tests.kube.running import run
from tests.ports import free_port


def service(name: str, namespace: str) -> dict[str, Any]:
    spec = {"clusterIP": "127.0.0.1", "clusterIPs": ["127.0.0.1"], "ports": [{"port": 53, "protocol": "UDP"}]}
    return {"metadata": {"name": name, "namespace": namespace}, "spec": spec}


def populate(api: ApiServer, prefix: str, port: int) -> None:
    labels = {**shapes.AGENT, "kubesonar.io/port": str(port), "app.kubernetes.io/name": prefix.removeprefix("ks-")}
    api.put("nodes", shapes.node("node-1"))
    api.put("pods", shapes.pod("ks-kubesonar-x2x4z", ips=("127.0.0.1",), namespace="mon", labels=labels))
    api.put("services", service("kube-dns", "kube-system"))
    api.put("endpointslices", shapes.endpoint_slice("kube-dns-1", "kube-dns", namespace="kube-system"))


def configuration(folder: Path, api: ApiServer, flags: tuple[str, ...], prefix: str, port: int) -> dict[str, Any]:
    """What the chart says, but for where the files and the ports of this machine are."""
    tree: dict[str, Any] = yaml.safe_load(one(render(*flags), "ConfigMap", f"{prefix}-config")["data"]["pod.yaml"])
    kubeconfig = folder / "kubeconfig"
    api.kubeconfig(kubeconfig)
    kubeconfig.write_text(kubeconfig.read_text().replace('"namespace": "default"', '"namespace": "mon"'))
    (folder / "keys").write_bytes(next_key(b"")[0])
    # The address of a cache on the node: the DNS Service's is then asked of the API server.
    (folder / "resolv.conf").write_text("search mon.svc.cluster.local\nnameserver 169.254.20.10\n")
    tree["keys"] = {"file": str(folder / "keys")}
    tree["member"] |= {"port": port, "bind": ["127.0.0.1"]}
    tree["roster"]["kubernetes"] = {"kubeconfig": str(kubeconfig)}
    tree["cluster"] |= {"resolv_conf": str(folder / "resolv.conf"), "api": {"dns": False, "direct": False}}
    tree["plan"] = {"families": [4]}
    return tree


@pytest.mark.parametrize(
    ("flags", "prefix"),
    [((), "ks-kubesonar"), (("--set", "kubenurse.enabled=true,check_me_ingress=false"), "ks-kubenurse")],
)
def test_agents_use_every_right_and_miss_none(flags: tuple[str, ...], prefix: str, tmp_path: Path) -> None:
    granted = rights(render(*flags), prefix)
    with ApiServer() as api:
        port = free_port()
        populate(api, prefix, port)
        tree = configuration(tmp_path, api, flags, prefix, port)
        variables = environ(flags, prefix)
        del variables["KUBESONAR_CONFIG"]
        variables |= {
            "KUBECONFIG": str(tmp_path / "kubeconfig"),
            "KUBENURSE_LISTEN": f"127.0.0.1:{free_port()}",
            "KUBENURSE_CHECK_API_SERVER_DIRECT": "false",
            "KUBENURSE_CHECK_API_SERVER_DNS": "false",
        }

        def taken() -> set[Right | None]:
            return {used(asked, granted) for asked, _ in api.log if asked.resource}

        with RunningAgent(tmp_path, "agent", variables, **tree):
            until(lambda: taken() - {None} == granted)
        missing = [
            (a.verb, a.namespace, a.resource, a.query) for a, _ in api.log if a.resource and not used(a, granted)
        ]
        assert missing == []


def test_the_collector_uses_every_right_to_watch_and_misses_none(tmp_path: Path) -> None:
    flags = ("--set", "collector.enabled=true")
    granted = {right for right in rights(render(*flags), "ks-kubesonar-collector") if right[3] == "list watch"}
    tree = yaml.safe_load(one(render(*flags), "ConfigMap", "ks-kubesonar-collector")["data"]["collector.yaml"])
    with ApiServer() as api:
        populate(api, "ks-kubesonar", free_port())
        kubeconfig = tmp_path / "kubeconfig"
        api.kubeconfig(kubeconfig)
        kubeconfig.write_text(kubeconfig.read_text().replace('"namespace": "default"', '"namespace": "mon"'))
        tree["roster"]["kubernetes"] = {"kubeconfig": str(kubeconfig)}
        options = msgspec.convert(tree["roster"], CollectorRosterOptions)

        async def work() -> None:
            watch = SharedClusterWatch(options, {}, SystemClock(), lambda document: None)
            task = asyncio.create_task(watch.run())
            await waiting.until(lambda: {used(a, granted) for a, _ in api.log if a.resource} - {None} == granted)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            watch.close()

        run(work())
        assert [a for a, _ in api.log if a.resource and not used(a, granted)] == []


def test_the_collector_s_records_use_every_right_and_miss_none_but_to_define_their_kind(tmp_path: Path) -> None:
    flags = ("--set", "collector.enabled=true,collector.config.store.kind=kubernetes")
    granted = rights(render(*flags), "ks-kubesonar-collector")
    with ApiServer() as api:

        async def work() -> None:
            credentials = from_kubeconfig(api.kubeconfig(tmp_path / "config"))
            store = KubernetesStore(Client(credentials), "mon", SystemClock())
            await store.write([Put("incident", "a", b'{"n":1}')])
            await store.write([Put("incident", "a", b'{"n":2}')])
            assert [record.name for record in await store.read("incident")] == ["a"]
            await store.write([Delete("incident", "a")])
            assert await store.get("incident", "a") is None
            await store.close()

        asyncio.run(work())
        taken = [(asked.verb, asked.resource) for asked, _ in api.log if used(asked, granted)]
        missing = {(asked.verb, asked.resource) for asked, _ in api.log if asked.resource and not used(asked, granted)}
    (records,) = (right for right in granted if right[1] == "records")
    assert {verb for verb, resource in taken if resource == "records"} == set(records[3].split())
    assert missing == {("create", "customresourcedefinitions")}
