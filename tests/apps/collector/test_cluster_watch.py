"""The cluster as a collector watches it for all agents, against a real list and watch."""

from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from kubesonar.apps.collector.cluster_watch import SharedClusterWatch
from kubesonar.apps.collector.options import CollectorRosterOptions
from kubesonar.config import ConfigError
from kubesonar.core.encoding import encode_json
from kubesonar.core.probing.cluster_document import ClusterDocument
from kubesonar.core.telemetry.reports.report import REPORT_PATH, REPORT_SCHEMA, Report
from kubesonar.discovery.options import KubernetesOptions
from kubesonar.model import Member, Roster, Snapshot
from kubesonar.net.clock import SystemClock
from tests.apps.agents import RunningAgent, RunningCollector, tree
from tests.apps.agents import until as waited
from tests.kube import shapes
from tests.kube.apiserver import ApiServer
from tests.kube.running import run
from tests.ports import free_port
from tests.scenarios.test_agent_cluster import dns_slice
from tests.waiting import until


def options(kubeconfig: str) -> CollectorRosterOptions:
    kubernetes = KubernetesOptions(kubeconfig=kubeconfig, settle=0.05, direct_limit=50_000)
    return CollectorRosterOptions(source="kubernetes", kubernetes=kubernetes)


def test_members_and_services_are_published_and_again_when_they_change(tmp_path: Path) -> None:
    async def scenario(api: ApiServer) -> None:
        published: list[ClusterDocument] = []
        watch = SharedClusterWatch(options(api.kubeconfig(tmp_path / "config")), {}, SystemClock(), published.append)
        task = asyncio.create_task(watch.run())
        await until(lambda: published and published[-1].complete and published[-1].dns_pods)
        assert [member.name for member in published[-1].roster.members] == ["agent-0", "agent-1", "agent-2"]
        api.delete("pods", "agent-2")
        await until(lambda: published[-1].roster.members[2].reason)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        watch.close()

    with ApiServer() as api:
        api.populate(3)
        api.put("endpointslices", dns_slice(("dns-1", 53)))
        run(scenario(api))


def test_an_agent_knows_the_members_by_its_collector_and_asks_no_api_server(tmp_path: Path) -> None:
    own, other, port = free_port(), free_port(), free_port()
    (tmp_path / "secret").write_text("shared\n")
    with ApiServer() as api:
        kubeconfig = api.kubeconfig(tmp_path / "config")
        for name, member in (("a", own), ("b", other)):
            api.put("nodes", shapes.node(f"node-{name}"))
            labels = {**shapes.AGENT, "kubesonar.io/port": str(member)}
            api.put("pods", shapes.pod(name, node=f"node-{name}", ips=("127.0.0.1",), labels=labels))
        agent = {
            **tree("a", own, tmp_path, membership={"enabled": False}),
            "roster": {"source": "collector", "directory": str(tmp_path)},
            "reports": {"to": [f"http://127.0.0.1:{port}"], "token_file": str(tmp_path / "secret")},
            "cluster": {"resolv_conf": str(tmp_path / "none")},
        }
        collector = {
            "reports": {"auth": "secret", "secret_file": str(tmp_path / "secret")},
            "roster": {"source": "kubernetes", "kubernetes": {"kubeconfig": kubeconfig, "settle": 0.05}},
        }
        with RunningCollector(tmp_path, port, **collector), RunningAgent(tmp_path, "a", **agent) as running:
            waited(lambda: {one.name for one in running.snapshot().roster.members} == {"a", "b"})
            assert running.snapshot().roster.stale == ""
        assert len(api.asked("list", "pods")) == 1
        assert (tmp_path / "cluster.json").exists()


def test_without_tokens_only_members_that_the_cluster_has_may_report(tmp_path: Path) -> None:
    def told(name: str) -> int:
        me = Member(name, "node-1", ("10.0.0.1",), 7473)
        body = encode_json(Report(REPORT_SCHEMA, 1, 0, 2.0, "", Snapshot(1, me, 1.0, 1.0, Roster("", ()))))
        request = Request(f"http://127.0.0.1:{port}{REPORT_PATH}", body, method="POST")
        try:
            with urlopen(request, timeout=10) as response:
                return int(response.status)
        except HTTPError as refused:
            with refused:
                return refused.code

    port = free_port()
    with ApiServer() as api:
        kubeconfig = api.kubeconfig(tmp_path / "config")
        api.populate(3)
        watched = {"source": "kubernetes", "kubernetes": {"kubeconfig": kubeconfig, "settle": 0.05}}
        with RunningCollector(tmp_path, port, reports={"auth": "none"}, roster=watched):
            waited(lambda: told("agent-1") == 200)
            assert told("agent-7") == 403


def test_credentials_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"roster\.source: kubernetes cannot be used: "):
        SharedClusterWatch(options(str(tmp_path / "none")), {}, SystemClock(), lambda document: None)
