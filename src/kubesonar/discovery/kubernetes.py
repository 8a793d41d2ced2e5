"""Members from Kubernetes: pods by a label, and the nodes they run on, listed and watched.

An outage of the API server leaves the last roster in force, marked stale. A right that is missing costs what it would
have told (`Roster.lacks`), not the whole. Above `direct_limit` members not every agent may watch, as the API server
would send each change to all of them; members then come from DNS, or are listed only now and then.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections.abc import Callable
from functools import partial

from kubesonar.discovery.haste import Haste
from kubesonar.discovery.options import RosterOptions
from kubesonar.discovery.rarely import Rarely, poll_period
from kubesonar.discovery.roster_builder import Copy, RosterBuilder
from kubesonar.kube.client import Client
from kubesonar.kube.reflector import Reflector, ReflectorOptions
from kubesonar.kube.resource import NODES, Resource, pods
from kubesonar.kube.types import Node, Pod
from kubesonar.model import Roster
from kubesonar.net.clock import Clock, SystemClock

_LOG = logging.getLogger("kubesonar.discovery")
_FEW_AGAIN = 0.8
"""Share of the limit below which members are watched again: not to and fro at the limit itself."""


class KubernetesRoster:
    """Follows pods and nodes. `changed` is called with the first roster and with each that differs from the one before,
    at most once in `settle` seconds. `port` is that of pods without the label for it."""

    source = "kubernetes"

    def __init__(
        self,
        client: Client,
        options: RosterOptions,
        port: int,
        changed: Callable[[Roster], None],
        *,
        rng: random.Random,
        clock: Clock | None = None,
        reflector: ReflectorOptions | None = None,
        haste: Haste | None = None,
    ) -> None:
        self._haste = haste or Haste()
        self._client = client
        self._limit = options.kubernetes.direct_limit
        self._settle = options.kubernetes.settle
        self._changed = changed
        self._rng = rng
        self._clock = clock or SystemClock()
        self._reflector = reflector
        namespace = options.kubernetes.namespace or client.credentials.namespace
        self._pods = Resource(pods(namespace), Pod, labels=options.kubernetes.selector)
        self._nodes = Resource(NODES, Node)
        self._picture = RosterBuilder(options, port, self._clock)
        self._roster: Roster | None = None
        self._news = asyncio.Event()

    async def watch(self) -> None:
        """For ever: watches while members are few, lists now and then while they are many."""
        while True:
            listed, places = self._reflectors()
            await self._follow(listed, places, partial(self._too_many, listed))
            _LOG.warning("%s: name a headless Service in roster.dns.name", self._too_many(listed))
            await self._list_rarely(listed, places)

    async def watch_until_better(self) -> str:
        """As `watch`, but until it is clear that pods may not be listed or that members are too many; which it was."""
        listed, places = self._reflectors()
        return await self._follow(listed, places, lambda: _may_not(listed) or self._too_many(listed))

    async def _list_rarely(self, listed: Reflector[Pod], places: Reflector[Node]) -> None:
        """Until members are few again."""
        rng, news = self._rng, self._news.set
        rare = Rarely(self._client, self._pods, news, listed, rng=rng, haste=self._haste)
        places_rare = Rarely(self._client, self._nodes, news, places, rng=rng, haste=self._haste)
        few = self._limit * _FEW_AGAIN
        await self._follow(rare, places_rare, lambda: "few again" if len(rare.items) <= few else "", rarely=True)

    def _reflectors(self) -> tuple[Reflector[Pod], Reflector[Node]]:
        rng, clock, options, news = self._rng, self._clock, self._reflector, self._news.set
        return (
            Reflector(self._client, self._pods, news, rng=rng, clock=clock, options=options),
            Reflector(self._client, self._nodes, news, rng=rng, clock=clock, options=options),
        )

    def _too_many(self, listed: Copy) -> str:
        if len(listed.items) <= self._limit:
            return ""
        return f"more than {self._limit} members (roster.kubernetes.direct_limit) are too many to be watched"

    async def _follow(self, listed: Copy, places: Copy, enough: Callable[[], str], rarely: bool = False) -> str:
        """Emits rosters until it is `enough`; why."""
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(copy.run()) for copy in (listed, places)]
            while not (reason := enough()):
                slow = _slow(len(listed.items)) if rarely else ""
                roster, wait = self._picture.roster(listed, places, slow)
                if roster is not None and roster != self._roster:
                    self._roster = roster
                    self._changed(roster)
                    await asyncio.sleep(self._settle)
                await self._news_or(wait)
            for task in running:
                task.cancel()
        return reason

    async def _news_or(self, seconds: float | None) -> None:
        """Until there is news, or so much time has passed."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._news.wait()
        self._news.clear()


def _may_not(listed: Copy) -> str:
    return f"may not {listed.forbidden}" if listed.forbidden and not listed.synced else ""


def _slow(count: int) -> str:
    return (
        f"changes are seen only every {poll_period(count) / 60:.0f} min: too many members to be watched by every "
        "agent, name a headless Service in roster.dns.name"
    )
