"""Which store the options name, and that incidents outlive a collector in it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from kubesonar.apps.collector.options import CollectorOptions
from kubesonar.apps.collector.store_choice import collector_store
from kubesonar.config import ConfigError, resolve
from kubesonar.core.diagnosis.incidents.incident_log import RECORD_SCHEMA
from kubesonar.stores.memory import MemoryStore
from kubesonar.stores.sqlite import SqliteStore
from kubesonar.stores.store import Put, Store
from tests.apps.agents import RunningAgent, RunningCollector, members, tree, until
from tests.clocks import TurnedClock
from tests.kube.apiserver import ApiServer
from tests.ports import free_port
from tests.stores.etcds import EtcdMembers

ETCD = ("--store.kind=etcd", "--store.etcd.endpoints=http://127.0.0.1:1")


def chosen(*flags: str, environ: Mapping[str, str] | None = None) -> Store:
    options: CollectorOptions = resolve(CollectorOptions, list(flags), {}).tree
    return collector_store(options.store, environ or {}, TurnedClock())


def test_each_kind_is_a_store_of_its_own(tmp_path: Path) -> None:
    assert isinstance(chosen(), MemoryStore)
    assert isinstance(chosen("--store.kind", "sqlite", "--store.directory", str(tmp_path)), SqliteStore)


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        (["--store.kind", "sqlite"], "directory: expected a directory"),
        (["--store.kind", "etcd"], "etcd.endpoints: expected one URL at least"),
        (["--store.kind", "etcd", "--store.etcd.endpoints", "http://a:1/v3"], "endpoints: got"),
        (["--store.etcd.user", "root"], "user and password_file: expected both or none"),
        (["--store.etcd.key_file", "key"], "cert_file and key_file: expected both or none"),
        (["--store.etcd.tree", "a b"], "tree"),
        (["--store.etcd.tree", "a\n"], "tree"),
        (["--store.kind", "kubernetes"], "store.kind: kubernetes cannot be used: no credentials"),
        ([*ETCD, "--store.etcd.user=a", "--store.etcd.password_file=/no"], "store.etcd.password_file: /no cannot be"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(flags: list[str], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        chosen(*flags)


def test_custom_resources_are_in_the_namespace_of_the_credentials(tmp_path: Path) -> None:
    with ApiServer() as api:
        file = api.kubeconfig(tmp_path / "config")

        async def work() -> None:
            store = chosen("--store.kind", "kubernetes", "--store.kubeconfig", file)
            try:
                await store.write([Put("incident", "00ff", b'{"schema":1}')])
            finally:
                await store.close()

        asyncio.run(work())
        assert api.get("records", "incident.00ff")["spec"] == {"schema": 1}


@pytest.fixture
def etcd(tmp_path: Path) -> Iterator[EtcdMembers]:
    with EtcdMembers(tmp_path) as found:
        yield found


def test_an_incident_in_etcd_outlives_the_collector_that_was_killed(etcd: EtcdMembers, tmp_path: Path) -> None:
    asyncio.run(etcd.protect("root", "open sesame"))
    (tmp_path / "password").write_text("open sesame\n")
    port, own = free_port(), free_port()
    roster = members(tmp_path, {"a": own, "gone": free_port()})
    reports = {"to": [f"http://127.0.0.1:{port}"]}
    reached = {"endpoints": list(etcd.endpoints), "user": "root", "password_file": str(tmp_path / "password")}
    options: dict[str, Any] = {
        "reports": {"auth": "none"},
        "agents": {"interval": 0.5},
        "store": {"kind": "etcd", "etcd": reached},
    }

    def told(of: RunningCollector) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = (of.document("/api/v1/incidents") or {}).get("incidents", [])
        return found

    agent = RunningAgent(tmp_path, "a", **tree("a", own, roster, reports=reports, membership={"enabled": False}))
    with agent, RunningCollector(tmp_path, port, **options) as first:
        (opened, *_) = until(lambda: told(first), 60)
        value = until(lambda: asyncio.run(kept(etcd, tmp_path, opened["id"])))
        assert f'"schema":{RECORD_SCHEMA}'.encode() in value
    with RunningCollector(tmp_path, port, **options) as successor:  # nobody reports to it
        assert [one["id"] for one in until(lambda: told(successor))] == [opened["id"]]


async def kept(etcd: EtcdMembers, folder: Path, id: str) -> bytes | None:
    """What etcd has of the incident."""
    flags = ("--store.etcd.user", "root", "--store.etcd.password_file", str(folder / "password"))
    store = chosen("--store.kind", "etcd", "--store.etcd.endpoints", etcd.endpoints[0], *flags)
    try:
        return await store.get("incident", id)
    finally:
        await store.close()
