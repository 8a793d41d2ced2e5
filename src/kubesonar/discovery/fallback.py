"""Members from Kubernetes as long as that goes well, else from DNS."""

from __future__ import annotations

import logging

from kubesonar.discovery.dns import DnsRoster
from kubesonar.discovery.kubernetes import KubernetesRoster

_LOG = logging.getLogger("kubesonar.discovery")


class FallbackRoster:
    """Kubernetes, with DNS for clusters too big to be watched by every agent, and where pods may not be listed.

    The choice holds until the next start: the two sources label members differently, so that changing to and fro would
    empty every window. Agents with rosters of either source know each other (docs/decisions/0009-identity.md).
    """

    def __init__(self, kubernetes: KubernetesRoster, dns: DnsRoster, limit: int) -> None:
        self._kubernetes = kubernetes
        self._dns = dns
        self._limit = limit
        self.source = kubernetes.source

    async def watch(self) -> None:
        """Watch for ever."""
        if await self._dns.count() > self._limit:
            why = f"more than {self._limit} members (roster.kubernetes.direct_limit)"
        else:
            why = await self._kubernetes.watch_until_better()
        self.source = self._dns.source
        _LOG.warning("members come from DNS: %s", why)
        await self._dns.watch(why)
