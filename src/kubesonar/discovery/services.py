"""Services that workloads depend on: that of DNS with the pods behind it, and the agents' own.

An outage of the API server leaves its last answers in force.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from functools import partial
from math import inf
from typing import Any

import msgspec

from kubesonar.core.probing.cluster_facts import DnsPod, ServiceEndpoint
from kubesonar.core.probing.cluster_options import ClusterOptions
from kubesonar.discovery.poller import Poller, ResourceCopy, follow, too_many
from kubesonar.discovery.service_parsing import dns_pods, service_endpoints, vips
from kubesonar.kube.client import Client
from kubesonar.kube.reflector import Reflector
from kubesonar.kube.reflector_schedule import ReflectorPeriods
from kubesonar.kube.resource import Resource, endpoint_slices, services
from kubesonar.kube.types import EndpointSlice, Service
from kubesonar.net.clock import Clock

LISTS_PER_SECOND = 2.0
"""Lists that all agents together make in a second where they do not watch, each with a TLS handshake."""

URGENT_LISTS_PER_SECOND = 10.0
"""The same while an address that was listed does not answer: it may be gone."""

MIN_PERIOD = 60.0
"""Shortest time between two lists by one agent that are not urgent (s)."""

_SETTLE = 0.2
"""Least time between two updates (s): changes come in bursts."""

_LOOK = 10.0
"""Seconds between two looks at whether agents have become too many to watch, or few again."""


class ServicesUpdate(msgspec.Struct, frozen=True):
    """The Services as they are known.

    `lost` has one sentence for each part that is out of date or missing, with the reason. `complete` is
    whether the API server has answered to everything, if only by a refusal.
    """

    dns_pods: tuple[DnsPod, ...] = ()
    vips: tuple[str, ...] = ()
    service: tuple[ServiceEndpoint, ...] = ()
    lost: tuple[str, ...] = ()
    complete: bool = False


class _Subject(msgspec.Struct, frozen=True):
    """A resource to follow: the field of `ServicesUpdate` that it fills, its reader, and what is lost without it."""

    field: str
    resource: Resource[Any]
    read: Callable[[Any], tuple[Any, ...]]
    lost: str

    @property
    def late(self) -> str:
        return f"{self.resource.words} may be out of date"


class ServiceWatch:
    """Follows the Services that the options need.

    `changed` is called with everything that is known, each time that it differs. Up to `limit` agents watch; above,
    each lists now and then.
    """

    def __init__(
        self,
        client: Client,
        options: ClusterOptions,
        needs_vips: bool,
        limit: int,
        changed: Callable[[ServicesUpdate], None],
        *,
        agents: int = 1,
        rng: random.Random,
        clock: Clock,
        reflector: ReflectorPeriods | None = None,
    ) -> None:
        self._agents = agents
        self._client = client
        self._subjects = _subjects(options, needs_vips, client.credentials.namespace)
        self._limit = limit
        self._changed = changed
        self._rng = rng
        self._clock = clock
        self._reflector = reflector
        self._update = ServicesUpdate()
        self._copies: dict[str, ResourceCopy] = {}
        self._news = asyncio.Event()

    def shared_by(self, agents: int) -> None:
        """Take note of the number of agents; above the limit each of them lists now and then instead of watching."""
        self._agents = agents

    def recheck(self) -> None:
        """List the DNS pods soon, where they are not watched: one does not answer and may be gone."""
        if (pods := self._polled_pods) is not None:
            pods.urgency.request()

    @property
    def listed(self) -> float:
        """The time of the last list of DNS pods (Unix seconds); infinite while they are watched."""
        return inf if self._polled_pods is None else self._polled_pods.listed

    @property
    def _polled_pods(self) -> Poller[EndpointSlice] | None:
        pods = self._copies.get("dns_pods")
        return pods if isinstance(pods, Poller) else None

    async def run(self) -> None:
        """Follow for ever; without anything to follow, return at once."""
        polling = too_many(self._agents, self._limit, polling=False)
        while self._subjects:
            self._copies = {subject.field: self._copy(subject, polling) for subject in self._subjects}
            await follow(self._copies.values(), self._news, self._publish, _SETTLE, partial(self._switches, polling))
            polling = not polling

    def _switches(self, polling: bool) -> bool:
        return too_many(self._agents, self._limit, polling) is not polling

    def _copy(self, subject: _Subject, polling: bool) -> ResourceCopy:
        client, resource, news = self._client, subject.resource, self._news.set
        if not polling:
            return Reflector(client, resource, news, rng=self._rng, periods=self._reflector)
        return Poller(
            client,
            resource,
            news,
            period=lambda _: max(MIN_PERIOD, self._agents / LISTS_PER_SECOND),
            spread=lambda: self._agents / URGENT_LISTS_PER_SECOND,
            rng=self._rng,
            clock=self._clock,
        )

    def _publish(self) -> tuple[bool, float]:
        fields: dict[str, Any] = {}
        lost = []
        for subject in self._subjects:
            copy = self._copies[subject.field]
            if copy.synced:
                fields[subject.field] = subject.read(copy.items.values())
            if reason := _reason(copy):
                lost.append(f"{subject.late if copy.synced else subject.lost}: {reason}")
        complete = all(copy.synced or _reason(copy) for copy in self._copies.values())
        update = msgspec.structs.replace(self._update, **fields, lost=tuple(lost), complete=complete)
        changed = update != self._update
        if changed:
            self._update = update
            self._changed(update)
        return changed, _LOOK


def _reason(copy: ResourceCopy) -> str:
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
