"""Members from Kubernetes as long as that goes well, else from DNS."""

from __future__ import annotations

import asyncio
import logging
import random

from kubesonar.discovery.dns import DnsRoster
from kubesonar.discovery.kubernetes import KubernetesRoster
from kubesonar.discovery.poller import too_many

WAY_BACK = 240.0
"""Seconds between two looks at whether Kubernetes is the better source again, give or take a fifth. With more, a right
that is given is not used within 5 minutes; with less, all agents that lack it ask the API server more often."""

_LOG = logging.getLogger("kubesonar.discovery")


class FallbackRoster:
    """Kubernetes, with DNS for clusters too big to be watched by every agent, and where pods may not be listed.

    Each agent decides for itself, and takes Kubernetes again when pods may be listed and are few enough. The two
    sources label members differently, so that a change empties every window: hence the pause between two looks, and the
    lower limit on the way back (`poller.too_many`). Agents with rosters of either source know each other
    (docs/decisions/0009-identity.md).
    """

    def __init__(
        self,
        kubernetes: KubernetesRoster,
        dns: DnsRoster,
        limit: int,
        *,
        rng: random.Random,
        way_back: float = WAY_BACK,
    ) -> None:
        self._kubernetes = kubernetes
        self._dns = dns
        self._limit = limit
        self._rng = rng
        self._way_back = way_back
        self.source = kubernetes.source

    async def watch(self) -> None:
        """Watch for ever."""
        why = f"more than {self._limit} members (roster.kubernetes.direct_limit)"
        if not await self._too_many_by_dns(polling=False):
            why = await self._kubernetes.watch_until_better()
        while True:
            await self._watch_dns(why)
            why = await self._watch_kubernetes()

    async def _watch_dns(self, why: str) -> None:
        """Watch DNS until Kubernetes is the better source."""
        self.source = self._dns.source
        _LOG.warning("members come from DNS: %s", why)
        tasks = asyncio.create_task(self._dns.watch(why)), asyncio.create_task(self._kubernetes_again())
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def _watch_kubernetes(self) -> str:
        self.source = self._kubernetes.source
        _LOG.info("members come from Kubernetes again")
        return await self._kubernetes.watch_until_better()

    async def _kubernetes_again(self) -> None:
        """Wait until members are few and pods may be listed."""
        while True:
            await asyncio.sleep(self._way_back * self._rng.uniform(0.8, 1.2))
            if not await self._too_many_by_dns(polling=True) and await self._kubernetes.may_watch():
                return

    async def _too_many_by_dns(self, *, polling: bool) -> bool:
        return too_many(await self._dns.count(), self._limit, polling)
