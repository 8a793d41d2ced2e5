"""Members from Kubernetes as long as that goes well, else from DNS."""

from __future__ import annotations

import asyncio
import logging

from kubesonar.discovery.dns import DnsRoster
from kubesonar.discovery.kubernetes import KubernetesRoster

_LOG = logging.getLogger("kubesonar.discovery")


class ReservedRoster:
    """Kubernetes with DNS in reserve: for clusters too big to be watched by every agent, which DNS tells without a
    single request to the API server, and where pods may not be listed. Which of the two holds until the next start:
    the two know members by different names, and going to and fro would cost every window and every join.

    `overheard` is set when others turn out to go by DNS, as in a cluster that has shrunk to the limit since they
    started. Whoever goes by another name than they do is deaf to them, and frozen, as far as they can tell."""

    def __init__(self, kubernetes: KubernetesRoster, dns: DnsRoster, limit: int, overheard: asyncio.Event) -> None:
        self._kubernetes = kubernetes
        self._dns = dns
        self._limit = limit
        self._overheard = overheard
        self.source = kubernetes.source

    async def watch(self) -> None:
        """For ever."""
        if await self._dns.count() > self._limit:
            why = f"more than {self._limit} members (roster.kubernetes.direct_limit)"
        else:
            why = await self._watch_kubernetes()
        self.source = self._dns.source
        _LOG.warning("members come from DNS: %s", why)
        await self._dns.watch(why)

    async def _watch_kubernetes(self) -> str:
        """Until DNS is better; why."""
        watching = asyncio.create_task(self._kubernetes.watch_until_better())
        overhearing = asyncio.create_task(self._overheard.wait())
        try:
            await asyncio.wait((watching, overhearing), return_when=asyncio.FIRST_COMPLETED)
            return watching.result() if watching.done() else "others know this member by its address"
        finally:
            watching.cancel()
            overhearing.cancel()
            await asyncio.wait((watching, overhearing))

    def close(self) -> None:
        """Gives up what still runs."""
        self._dns.close()
