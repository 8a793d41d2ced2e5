"""Pods and nodes from the API server, kept current, and the neighbours that follow from them."""

from __future__ import annotations

import asyncio
import logging
import random

import msgspec

from kubesonar.compat.kubenurse.neighbours.selection import Neighbour, OwnPod, cordoned, find_own_pod, neighbour_pods
from kubesonar.compat.kubenurse.settings import KubenurseSettings
from kubesonar.kube.auth.credentials import Credentials
from kubesonar.kube.client import Client
from kubesonar.kube.reflector import Reflector
from kubesonar.kube.reflector_schedule import ReflectorPeriods
from kubesonar.kube.resource import NODES, Resource, pods
from kubesonar.kube.types import Node, Pod
from kubesonar.net.own_addresses import is_own
from kubesonar.runtime.supervise import Supervisor

_LOG = logging.getLogger("kubesonar.kubenurse")

_START = 0.2
"""Share of an interval within which the first list is requested, so that the first round has neighbours; more: all pods
of a rollout ask the API server less at once."""


class PodView(msgspec.Struct, frozen=True):
    """The present view. `trouble` says why neighbours are unknown, and is empty where they are known."""

    trouble: str
    me: OwnPod
    neighbours: tuple[Neighbour, ...] = ()


class Discovery:
    """Lists and watches pods and, unless cordoned nodes are to be checked too, nodes. During an outage of the API
    server the last list stays in force. Where neighbours are not checked, only this pod and its node are watched."""

    def __init__(self, settings: KubenurseSettings, credentials: Credentials, name: str) -> None:
        self._settings = settings
        self._name = name
        self._client = Client(credentials)
        self._rng = random.Random()  # spreads the beginning over time; nothing depends on what it rolls
        self._changed = asyncio.Event()
        self._view: PodView | None = None
        everybody = settings.check_neighbourhood
        selected = Resource(
            pods(settings.namespace),
            Pod,
            labels=settings.neighbour_filter if everybody else "",
            fields="" if everybody else f"metadata.name={name}",
        )
        self._options = ReflectorPeriods(start=min(1.0, settings.check_interval * _START))
        self._pods = Reflector(self._client, selected, self._forget, rng=self._rng, periods=self._options)
        self._nodes = self._reflected(Resource(NODES, Node)) if everybody and not settings.allow_unschedulable else None

    def start(self, supervisor: Supervisor) -> None:
        """Begin to list and watch."""
        supervisor.run_forever("pods", self._pods.run)
        if not self._settings.allow_unschedulable:
            supervisor.run_forever("nodes", self._nodes.run if self._nodes else self._follow_own_node)

    def close(self) -> None:
        """Close connections; call it after the supervisor has stopped."""
        self._client.close()

    def look(self) -> PodView:
        """Return the present view; cheap while nothing changes."""
        if self._view is None:
            self._view = self._seen()
        return self._view

    @property
    def cordoned(self) -> bool:
        """Whether our node is cordoned or gone. False where that is unknown: before the first list, without the right
        to read nodes, and for a pod that does not find itself."""
        node = self.look().me.node
        nodes = self._visible_nodes()
        return bool(node) and nodes is not None and nodes.synced and cordoned(nodes.items.get(node))

    def _reflected(self, resource: Resource[Node]) -> Reflector[Node]:
        return Reflector(self._client, resource, self._forget, rng=self._rng, periods=self._options)

    def _forget(self) -> None:
        self._view = None
        self._changed.set()

    async def _follow_own_node(self) -> None:
        while not (node := self.look().me.node):
            self._changed.clear()
            await self._changed.wait()
        self._nodes = self._reflected(Resource(NODES, Node, fields=f"metadata.name={node}"))
        await self._nodes.run()

    def _seen(self) -> PodView:
        settings, listed = self._settings, self._pods.items
        pod = find_own_pod(listed.values(), self._name, is_own)
        me = OwnPod(pod, settings.node_name or (pod.spec.node_name if pod else ""))
        if not self._pods.synced:
            return PodView(self._pods.trouble or "the pods are not listed yet", me)
        if not settings.check_neighbourhood:
            return PodView("", me)
        nodes = self._visible_nodes()
        if nodes is not None and not nodes.synced:
            return PodView(nodes.trouble or "the nodes are not listed yet", me)
        return PodView("", me, tuple(neighbour_pods(listed.values(), nodes.items if nodes else None, pod)))

    def _visible_nodes(self) -> Reflector[Node] | None:
        """Return None where nodes are not to be read, or may not be."""
        nodes = self._nodes
        return None if nodes is None or nodes.forbidden.startswith("list") else nodes
