"""Members from Kubernetes as long as that goes well, else from DNS."""

from __future__ import annotations

import asyncio
import logging

from kubesonar.discovery.dns import DnsRoster
from kubesonar.discovery.kubernetes import KubernetesRoster

_LOG = logging.getLogger("kubesonar.discovery")


class FallbackRoster:
    """Kubernetes, with DNS for clusters too big to be watched by every agent, and where pods may not be listed.

    The choice holds until the next start. The two sources know members by different names, so changing to and fro would
    empty every window. `peers_use_dns` is set when others turn out to go by DNS, as in a cluster that has shrunk to the
    limit since they started: a member that goes by another name than theirs is deaf to them, and counts as frozen.
    """

    def __init__(self, kubernetes: KubernetesRoster, dns: DnsRoster, limit: int, peers_use_dns: asyncio.Event) -> None:
        self._kubernetes = kubernetes
        self._dns = dns
        self._limit = limit
        self._peers_use_dns = peers_use_dns
        self.source = kubernetes.source

    async def watch(self) -> None:
        """Watch for ever."""
        if await self._dns.count() > self._limit:
            why = f"more than {self._limit} members (roster.kubernetes.direct_limit)"
        else:
            why = await self._watch_kubernetes()
        self.source = self._dns.source
        _LOG.warning("members come from DNS: %s", why)
        await self._dns.watch(why)

    async def _watch_kubernetes(self) -> str:
        """Watch Kubernetes until DNS is the better source; return why."""
        watching = asyncio.create_task(self._kubernetes.watch_until_better())
        waiting = asyncio.create_task(self._peers_use_dns.wait())
        try:
            await asyncio.wait((watching, waiting), return_when=asyncio.FIRST_COMPLETED)
            return watching.result() if watching.done() else "others know this member by its address"
        finally:
            watching.cancel()
            waiting.cancel()
            await asyncio.wait((watching, waiting))
