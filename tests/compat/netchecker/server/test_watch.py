"""The look for missing reports, where lists lag and agents come meanwhile."""

from __future__ import annotations

import random
from pathlib import Path

from kubesonar.compat.netchecker.server.metrics import NetcheckerMetrics
from kubesonar.compat.netchecker.server.missed_reports import MissedReports
from kubesonar.compat.netchecker.server.pods import AgentPods
from kubesonar.compat.netchecker.server.records import AgentRecords
from kubesonar.compat.netchecker.server.watch import ReportWatch
from kubesonar.compat.netchecker.spec import AgentSpec
from kubesonar.net.clock import SystemClock
from kubesonar.stores.memory import MemoryStore
from kubesonar.stores.write_behind import WriteBehind
from tests.compat.netchecker.rig import add_pods
from tests.kube.apiserver import ApiServer
from tests.kube.running import client_of, run


def test_nc25_a_record_leaves_once_two_lists_in_a_row_lack_its_pod(tmp_path: Path) -> None:
    async def work() -> None:
        clock = SystemClock()
        store = WriteBehind(MemoryStore(1 << 20, clock), clock, random.Random(1), 60.0)
        client = client_of(api, tmp_path)
        records, pods, metrics = AgentRecords(store, clock, None), AgentPods(client), NetcheckerMetrics()
        watch = ReportWatch(records, pods, metrics, MissedReports(), store, resources=True)
        spec = AgentSpec(nodename="node1", podname="netchecker-agent-a", report_interval=60).received(clock.wall())
        records.keep(spec.podname, spec)
        metrics.report("node1-private_network", spec)
        await watch.look()
        assert [*await records.all()] == [spec.podname]
        add_pods(api, spec.podname)
        await watch.look()
        api.delete("pods", spec.podname)
        await watch.look()
        assert [*await records.all()] == [spec.podname]
        assert metrics.labels == {"node1-private_network"}
        await watch.look()
        assert [*await records.all()] == []
        await watch.look()
        assert metrics.labels == set()
        api.refuse("list", "pods")
        metrics.report("node2-private_network", spec)
        await watch.look()
        assert metrics.labels == {"node2-private_network"}
        client.close()

    with ApiServer() as api:
        run(work())
