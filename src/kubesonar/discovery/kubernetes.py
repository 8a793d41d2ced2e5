"""Members from Kubernetes: pods by a label, and the nodes they run on, listed and watched.

An outage of the API server leaves the last roster in force, marked stale. A missing right costs only what it would have
told (`Roster.lacks`). Above `direct_limit` members not every agent may watch, since the API server would send each
change to all of them: members then come from DNS (`fallback.py`), or are listed only now and then.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from functools import partial

from kubesonar.discovery.options import RosterOptions
from kubesonar.discovery.poller import Poller, ResourceCopy, follow, too_many
from kubesonar.discovery.roster_builder import RosterBuilder
from kubesonar.discovery.urgency import Urgency
from kubesonar.kube.client import ApiError, Client
from kubesonar.kube.reflector import Reflector
from kubesonar.kube.reflector_schedule import ReflectorPeriods
from kubesonar.kube.resource import NODES, Resource, pods
from kubesonar.kube.types import Node, Pod
from kubesonar.model import Roster
from kubesonar.net.clock import SystemClock

MIN_POLL = 300.0
"""Shortest period between two lists where members are too many to be watched (s)."""

OBJECTS_PER_SECOND = 2000.0
"""Objects that all agents together list in a second. At 10 kB each they are 20 MB/s from the API server's cache; with
less, changes are seen later."""

_LOG = logging.getLogger("kubesonar.discovery")


def poll_period(count: int) -> float:
    """Return the seconds between two lists of each of `count` agents that list `count` objects."""
    return max(MIN_POLL, count * count / OBJECTS_PER_SECOND)


class KubernetesRoster:
    """Makes rosters of pods and nodes.

    `changed` is called with the first roster and with each that differs from the one before, at most once in `settle`
    seconds. `port` is that of pods without the label for it.
    """

    source = "kubernetes"

    def __init__(
        self,
        client: Client,
        options: RosterOptions,
        port: int,
        changed: Callable[[Roster], None],
        *,
        rng: random.Random,
        reflector: ReflectorPeriods | None = None,
        urgency: Urgency | None = None,
    ) -> None:
        self._urgency = urgency or Urgency()
        self._client = client
        self._limit = options.kubernetes.direct_limit
        self._settle = options.kubernetes.settle
        self._changed = changed
        self._rng = rng
        self._clock = SystemClock()
        self._reflector = reflector
        namespace = options.kubernetes.namespace or client.credentials.namespace
        self._pods = Resource(pods(namespace), Pod, labels=options.kubernetes.selector)
        self._nodes = Resource(NODES, Node)
        self._new_builder = partial(RosterBuilder, options, port, self._clock)
        self._builder = self._new_builder()
        self._roster: Roster | None = None
        self._news = asyncio.Event()

    async def watch(self) -> None:
        """Watch for ever; list now and then while members are too many."""
        while True:
            listed, nodes = self._watched(self._pods), self._watched(self._nodes)
            reason = await self._follow(listed, nodes, partial(self._too_many, listed))
            _LOG.warning("%s: name a headless Service in roster.dns.name", reason)
            listed, nodes = self._polled(self._pods, listed), self._polled(self._nodes, nodes)
            await self._follow(listed, nodes, partial(self._few_again, listed), polled=True)

    async def watch_until_better(self) -> str:
        """Watch until DNS is the better source; return why: pods may not be listed, or members are too many.

        What was known from an earlier time is forgotten. Members that are too many are published before, so that an
        outage of DNS does not leave the agent without any.
        """
        self._builder, self._roster = self._new_builder(), None
        listed, nodes = self._watched(self._pods), self._watched(self._nodes)
        return await self._follow(
            listed, nodes, lambda: _may_not(listed) or (self._too_many(listed) if self._roster else "")
        )

    async def may_watch(self) -> bool:
        """Return whether pods may be listed now, and are few enough to be watched."""
        try:
            listing = await self._client.list(self._pods)
        except ApiError:
            return False
        return not too_many(len(listing.items), self._limit, polling=True)

    def _watched(self, resource: Resource[Pod] | Resource[Node]) -> ResourceCopy:
        return Reflector(
            self._client, resource, self._news.set, rng=self._rng, clock=self._clock, periods=self._reflector
        )

    def _polled(self, resource: Resource[Pod] | Resource[Node], before: ResourceCopy) -> ResourceCopy:
        return Poller(
            self._client,
            resource,
            self._news.set,
            period=poll_period,
            rng=self._rng,
            clock=self._clock,
            urgency=self._urgency,
            before=before,
        )

    def _too_many(self, listed: ResourceCopy) -> str:
        if not too_many(len(listed.items), self._limit, polling=False):
            return ""
        return f"more than {self._limit} members (roster.kubernetes.direct_limit) are too many to be watched"

    def _few_again(self, listed: ResourceCopy) -> str:
        return "" if too_many(len(listed.items), self._limit, polling=True) else "few again"

    async def _follow(
        self, listed: ResourceCopy, nodes: ResourceCopy, done: Callable[[], str], polled: bool = False
    ) -> str:
        def publish() -> tuple[bool, float | None]:
            roster, wait = self._builder.roster(listed, nodes, _slow(len(listed.items)) if polled else "")
            new = roster is not None and roster != self._roster
            if roster is not None and new:
                self._roster = roster
                self._changed(roster)
            return new, wait

        return await follow((listed, nodes), self._news, publish, self._settle, done)


def _may_not(listed: ResourceCopy) -> str:
    return f"may not {listed.forbidden}" if listed.forbidden and not listed.synced else ""


def _slow(count: int) -> str:
    return (
        f"changes are seen only every {poll_period(count) / 60:.0f} min: too many members to be watched by every "
        "agent, name a headless Service in roster.dns.name"
    )
