"""The agents of a mesh as standpoints: what they found about the DNS pods, as their collector tells it."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from kubesonar.apps.client.collector_client import CollectorClient, CollectorSilent
from kubesonar.doctor.repair.rounds import MeshEdge

_LOG = logging.getLogger("kubesonar.doctor")

_MOST_PODS = 20
"""Most DNS pods about which a collector is asked in one round, one request each."""


class MeshStandpoints:
    """Reads from one collector. A collector that is silent is said once in the log, until it speaks again."""

    def __init__(self, collector: CollectorClient) -> None:
        self._collector = collector
        self._silent = False

    async def edges(self, pods: Sequence[str]) -> list[MeshEdge]:
        """Return what the agents found about the pods of these names, nothing where the collector is silent."""
        try:
            nodes = await self._collector.nodes()
            found = [edge for pod in pods[:_MOST_PODS] for edge in await self._collector.edges_to(pod)]
        except CollectorSilent as silent:
            if not self._silent:
                _LOG.warning("no other standpoints: %s", silent)
            self._silent = True
            return []
        self._silent = False
        return [MeshEdge(one.source, nodes[one.source], one.edge) for one in found if one.source in nodes]
