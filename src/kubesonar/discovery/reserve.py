"""Members from Kubernetes as long as that goes well, else from DNS."""

from __future__ import annotations

import logging

from kubesonar.discovery.dns import DnsRoster
from kubesonar.discovery.kubernetes import KubernetesRoster

_LOG = logging.getLogger("kubesonar.discovery")


class ReservedRoster:
    """Kubernetes with DNS in reserve: for clusters too big to be watched by every agent, which DNS tells without a
    single request to the API server, and where pods may not be listed. Which of the two holds until the next start:
    the two know members by different names, and going to and fro would cost every window and every join."""

    def __init__(self, kubernetes: KubernetesRoster, dns: DnsRoster, limit: int) -> None:
        self._kubernetes = kubernetes
        self._dns = dns
        self._limit = limit
        self.source = kubernetes.source

    async def watch(self) -> None:
        """For ever."""
        if await self._dns.count() > self._limit:
            why = f"more than {self._limit} members (roster.kubernetes.direct_limit)"
        else:
            why = await self._kubernetes.watch_until_better()
        self.source = self._dns.source
        _LOG.warning("members come from DNS: %s", why)
        await self._dns.watch(why)

    def close(self) -> None:
        """Gives up what still runs."""
        self._dns.close()
