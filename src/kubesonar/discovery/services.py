"""What the API server tells of Services that workloads depend on: that of DNS with the pods behind it, and the agents'
own. An outage of the API server leaves in force what it told last."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable
from math import inf
from typing import Any

import msgspec

from kubesonar.core.probing.cluster_facts import DnsPod, ServiceEndpoint
from kubesonar.core.probing.cluster_options import ClusterOptions
from kubesonar.discovery.roster_builder import Copy
from kubesonar.discovery.service_parsing import dns_pods, service_endpoints, vips
from kubesonar.discovery.sometimes import Sometimes
from kubesonar.kube.client import Client
from kubesonar.kube.reflector import Reflector, ReflectorOptions
from kubesonar.kube.resource import Resource, endpoint_slices, services
from kubesonar.kube.types import EndpointSlice, Service
from kubesonar.net.clock import Clock

_SETTLE = 0.2
_LOOK = 10.0
_FEW_AGAIN = 0.8
"""Share of the limit below which is watched again: not to and fro at the limit itself."""


class ServicesUpdate(msgspec.Struct, frozen=True):
    """What the API server told, and which of it is out of date or missing, and why: one sentence each.
    `complete`: it has answered to everything, if only by a refusal."""

    dns_pods: tuple[DnsPod, ...] = ()
    vips: tuple[str, ...] = ()
    service: tuple[ServiceEndpoint, ...] = ()
    lost: tuple[str, ...] = ()
    complete: bool = False


class _Subject(msgspec.Struct, frozen=True):
    """A resource to follow: the field of `ServicesUpdate` that it fills, how it is read, and what to say of it."""

    field: str
    resource: Resource[Any]
    read: Callable[[Any], tuple[Any, ...]]
    lost: str

    @property
    def late(self) -> str:
        return f"{self.resource.words} may be out of date"


class ServiceWatch:
    """Follows what the options need. `told` is called with everything that is known, each time that it differs. Up to
    `limit` agents watch."""

    def __init__(
        self,
        client: Client,
        options: ClusterOptions,
        needs_vips: bool,
        limit: int,
        told: Callable[[ServicesUpdate], None],
        *,
        agents: int = 1,
        rng: random.Random,
        clock: Clock,
        reflector: ReflectorOptions | None = None,
    ) -> None:
        self._agents = agents
        self._client = client
        self._subjects = _subjects(options, needs_vips, client.credentials.namespace)
        self._limit = limit
        self._changed = told
        self._rng = rng
        self._clock = clock
        self._reflector = reflector
        self._told = ServicesUpdate()
        self._copies: dict[str, Copy] = {}
        self._news = asyncio.Event()

    def shared_by(self, agents: int) -> None:
        """So many agents there are."""
        self._agents = agents

    def doubt(self) -> None:
        """A DNS pod does not answer: it may be gone."""
        if (pods := self._listed_pods) is not None:
            pods.doubt()

    @property
    def listed(self) -> float:
        """When DNS pods were listed last (Unix seconds); infinite while they are watched."""
        return inf if self._listed_pods is None else self._listed_pods.listed

    @property
    def _listed_pods(self) -> Sometimes[EndpointSlice] | None:
        pods = self._copies.get("dns_pods")
        return pods if isinstance(pods, Sometimes) else None

    async def run(self) -> None:
        """For ever."""
        many = self._agents > self._limit
        while self._subjects:
            await self._follow(many)
            many = not many

    async def _follow(self, many: bool) -> None:
        """Until there are few agents where they were many, or the other way about."""
        self._copies = {subject.field: self._copy(subject, many) for subject in self._subjects}
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(copy.run()) for copy in self._copies.values()]
            while (self._agents > self._limit * (_FEW_AGAIN if many else 1)) is many:
                self._tell()
                await self._news_or(_LOOK)
                await asyncio.sleep(_SETTLE)  # changes come in bursts
            for task in running:
                task.cancel()

    def _copy(self, subject: _Subject, many: bool) -> Copy:
        if many:
            return Sometimes(
                self._client, subject.resource, self._news.set, self._count, rng=self._rng, clock=self._clock
            )
        return Reflector(self._client, subject.resource, self._news.set, rng=self._rng, options=self._reflector)

    def _count(self) -> int:
        return self._agents

    def _tell(self) -> None:
        fields: dict[str, Any] = {}
        lost = []
        for subject in self._subjects:
            copy = self._copies[subject.field]
            if copy.synced:
                fields[subject.field] = subject.read(copy.items.values())
            if reason := _reason(copy):
                lost.append(f"{subject.late if copy.synced else subject.lost}: {reason}")
        complete = all(copy.synced or _reason(copy) for copy in self._copies.values())
        told = msgspec.structs.replace(self._told, **fields, lost=tuple(lost), complete=complete)
        if told != self._told:
            self._told = told
            self._changed(told)

    async def _news_or(self, seconds: float) -> None:
        """Until there is news, or so much time has passed."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()
        self._news.clear()


def _reason(copy: Copy) -> str:
    if copy.forbidden.startswith("list"):
        return f"no right to {copy.forbidden}"
    return copy.trouble


def _subjects(options: ClusterOptions, needs_vips: bool, namespace: str) -> tuple[_Subject, ...]:
    dns, own = options.dns, options.service
    subjects = []
    if dns.pods:
        slices = Resource(
            endpoint_slices(dns.namespace), EndpointSlice, labels=f"kubernetes.io/service-name={dns.name}"
        )
        subjects.append(_Subject("dns_pods", slices, dns_pods, "DNS pods are not asked one by one"))
    if dns.service and needs_vips and not dns.address:
        dns_service = Resource(services(dns.namespace), Service, fields=f"metadata.name={dns.name}")
        subjects.append(_Subject("vips", dns_service, vips, "the DNS Service is not found"))
    if own.name and not own.url:
        own_service = Resource(services(namespace), Service, fields=f"metadata.name={own.name}")
        subjects.append(_Subject("service", own_service, service_endpoints, f"the Service {own.name} is not found"))
    return tuple(subjects)
