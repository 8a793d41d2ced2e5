"""Looks each interval for reports that are missing and agents that are gone."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from kubesonar.compat.netchecker.server.metrics import NetcheckerMetrics
from kubesonar.compat.netchecker.server.missed_reports import MissedReports
from kubesonar.compat.netchecker.server.pods import NOBODY, AgentPod, AgentPods, label_of
from kubesonar.compat.netchecker.server.records import AgentRecords
from kubesonar.compat.netchecker.spec import AgentSpec
from kubesonar.kube.client import ApiError
from kubesonar.runtime.logs import Changes
from kubesonar.stores.write_behind import WriteBehind

_LOG = logging.getLogger("kubesonar.netchecker")


class ReportWatch:
    """Counts missed reports, forgets agents whose pods are gone, and saves the counts. With `resources` records are
    custom resources, which leave with their pods; else they end by themselves. While the API server or the store does
    not answer nothing is counted and nothing forgotten."""

    def __init__(
        self,
        records: AgentRecords,
        pods: AgentPods,
        metrics: NetcheckerMetrics,
        missed: MissedReports,
        store: WriteBehind,
        *,
        resources: bool,
    ) -> None:
        self._records = records
        self._pods = pods
        self._metrics = metrics
        self._missed = missed
        self._store = store
        self._resources = resources
        self._gone: set[str] = set()
        self._changes = Changes(_LOG)

    async def run(self, interval: float) -> None:
        """Look each `interval` seconds, for ever."""
        while True:
            await self.look()
            await asyncio.sleep(interval)

    async def look(self) -> None:
        """Look once. Records are read before pods are listed, so that who reports meanwhile is not taken to be gone."""
        counted = self._metrics.labels
        records = await self._records.all()
        try:
            pods = {pod.name: pod for pod in await self._pods.all()}
        except ApiError as error:
            self._changes.note("pods", f"they cannot be listed: {error}")
            return
        self._changes.note("pods", "")
        if not self._records.trouble:
            nodes = {name: pod.node for name, pod in pods.items()}
            nodes |= {name: spec.nodename for name, spec in records.items() if spec.nodename}
            labels = {name: label_of(node, name) for name, node in nodes.items()}
            for name in self._missing(pods, records):
                self._metrics.error(labels[name])
            if self._resources:
                self._drop(records.keys() - pods.keys())
            self._metrics.forget(counted - {*labels.values(), NOBODY}, self._store)
        await self._metrics.sync(self._store)

    def _missing(self, pods: Mapping[str, AgentPod], records: Mapping[str, AgentSpec]) -> list[str]:
        if not self._resources:
            return self._missed.absent(pods, records)
        ages = {name: (spec, self._records.age(name, spec)) for name, spec in records.items() if name in pods}
        return self._missed.overdue(ages)

    def _drop(self, gone: set[str]) -> None:
        """Drop the records whose pods were gone at the last look too: the API server's list may lag."""
        for name in gone & self._gone:
            self._records.drop(name)
        self._gone = gone
