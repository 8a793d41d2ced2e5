"""The agents of a mesh as standpoints: what they found about the DNS pods, as their collector tells it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from kubesonar.apps.client.collector_client import CollectorClient, CollectorSilent
from kubesonar.core.remedy.dns_round import DnsServerPod
from kubesonar.doctor.repair.rounds import MeshEdge
from kubesonar.model import Member, Network

_LOG = logging.getLogger("kubesonar.doctor")

_MOST_PODS = 20
"""Most DNS pods about which a collector is asked in one round, one request each, and one more for each that is silent:
more burden it, fewer leave pods of big clusters without standpoints."""


class MeshStandpoints:
    """Reads from one collector. A collector that is silent is said once in the log, until it speaks again."""

    def __init__(self, collector: CollectorClient) -> None:
        self._collector = collector
        self._silent = False

    async def edges(self, pods: Sequence[DnsServerPod]) -> list[MeshEdge]:
        """Return what the agents found about these pods, and, for those that do not answer one, about members in the
        pod networks of their nodes; nothing where the collector is silent."""
        try:
            found = await self._found(pods[:_MOST_PODS])
        except CollectorSilent as silent:
            if not self._silent:
                _LOG.warning("no other standpoints: %s", silent)
            self._silent = True
            return []
        self._silent = False
        return found

    async def _found(self, pods: Sequence[DnsServerPod]) -> list[MeshEdge]:
        members = await self._collector.members()
        found: list[MeshEdge] = []
        doubted = set[str]()
        for pod in pods:
            edges = await self._edges(pod.name, members)
            found += edges
            if pod.node and any(one.edge.latest.fault is not None for one in edges):
                doubted.add(pod.node)
        for name, member in members.items():
            if member.network is Network.POD and member.node in doubted:
                found += [replace(one, beyond=member.node) for one in await self._edges(name, members)]
        return found

    async def _edges(self, target: str, members: Mapping[str, Member]) -> list[MeshEdge]:
        edges = await self._collector.edges_to(target)
        return [MeshEdge(one.source, members[one.source].node, one.edge) for one in edges if one.source in members]
