"""Chooses where the roster comes from, and keeps how long it has been stale."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Protocol

import msgspec

from kubesonar.apps.agent.options import MemberOptions
from kubesonar.config import ConfigError
from kubesonar.core.probing.cluster_document import ClusterDocument
from kubesonar.discovery.file import FileRoster
from kubesonar.discovery.options import CollectorAccess, RosterOptions
from kubesonar.discovery.urgency import Urgency
from kubesonar.model import Roster
from kubesonar.net.clock import Clock

if TYPE_CHECKING:
    from kubesonar.discovery.dns import DnsRoster

_LOG = logging.getLogger("kubesonar.agent")

Changed = Callable[[Roster], None]


class RosterInput(Protocol):
    """A source of rosters. `source` is its name, another one once it has fallen back."""

    @property
    def source(self) -> str: ...

    async def watch(self) -> None:
        """Run for ever."""
        ...


_NO_COLLECTORS = CollectorAccess(())


class RosterSource:
    """The source that `options` ask for, for the member `me`. `collectors` are those of `reports`, and `services` is
    called with what they tell besides members. Raises ConfigError where it cannot be used. `close` it."""

    def __init__(
        self,
        options: RosterOptions,
        me: MemberOptions,
        environ: Mapping[str, str],
        clock: Clock,
        collectors: CollectorAccess = _NO_COLLECTORS,
        services: Callable[[ClusterDocument], None] = lambda document: None,
    ) -> None:
        self._collectors = collectors
        self._services = services
        self._options = options
        self._me = me
        self._clock = clock
        self._changed: Changed = lambda roster: None
        self._roster = Roster("", ())
        self._stale_since: float | None = None
        self._closing = ExitStack()
        self._urgency = Urgency()
        self._source = self._chosen(environ)

    @property
    def source(self) -> str:
        """The name of the source in use: file, kubernetes, dns, collector or none."""
        return self._source.source if self._source else "none"

    @property
    def stale_for(self) -> float:
        """Seconds since the roster was current, 0 while it is."""
        return self._clock.mono() - self._stale_since if self._stale_since is not None else 0.0

    @property
    def remarks(self) -> list[str]:
        """A sentence for each thing that is amiss with the roster."""
        stale = self._roster.stale
        return [
            *([f"the roster is stale for {self.stale_for:.0f} s: {stale}"] if stale else []),
            *([self._roster.lacks] if self._roster.lacks else []),
        ]

    async def watch(self, changed: Changed) -> None:
        """Call `changed` with every new roster, for ever; without a source once, with an empty one."""
        self._changed = changed
        if self._source is None:
            self._take(Roster("none", ()))
        else:
            await self._source.watch()

    def coordinates(self, mine: bool) -> None:
        """Take note whether this agent coordinates: then its roster is read more often than others'."""
        self._urgency.set(mine)

    def close(self) -> None:
        """Close what the source holds open."""
        self._closing.close()

    def _take(self, roster: Roster) -> None:
        if not roster.stale:
            self._stale_since = None
        elif self._stale_since is None:
            self._stale_since = self._clock.mono()
        if roster.lacks and roster.lacks != self._roster.lacks:
            _LOG.warning("the roster does not tell everything", extra={"reason": roster.lacks})
        if roster.stale and not roster.members:  # a source that begins during an outage knows less than the one before
            roster = msgspec.structs.replace(self._roster, stale=roster.stale, lacks=roster.lacks)
        self._roster = roster
        self._changed(roster)

    def _chosen(self, environ: Mapping[str, str]) -> RosterInput | None:
        roster = self._options
        kind = roster.source if roster.source != "auto" else _automatic(roster, environ)
        if kind == "file":
            return FileRoster(roster, self._take)
        if kind == "dns":
            return self._dns()
        if kind == "collector":
            return self._collector()
        return self._kubernetes(environ) if kind == "kubernetes" else None

    def _collector(self) -> RosterInput:
        if not self._collectors.urls:
            raise ConfigError("roster.source: the source collector needs reports.to, the URLs of collectors")
        from kubesonar.discovery.collector import CollectorRoster  # only agents that need it pay for it

        source = CollectorRoster(
            self._collectors,
            self._options.directory,
            self._take,
            self._services,
            clock=self._clock,
            rng=random.Random(),
            dns=self._dns() if self._options.dns.name else None,
        )
        self._closing.callback(source.close)
        return source

    def _kubernetes(self, environ: Mapping[str, str]) -> RosterInput | None:
        """Return the source, whose modules are imported here: only agents in a cluster should pay for them."""
        from kubesonar.discovery.fallback import FallbackRoster
        from kubesonar.discovery.kubernetes import KubernetesRoster
        from kubesonar.kube.auth.credential_file import CredentialsError
        from kubesonar.kube.auth.loading_rules import find_credentials
        from kubesonar.kube.client import Client

        roster = self._options
        try:
            client = Client(find_credentials(environ, roster.kubernetes.kubeconfig))
        except CredentialsError as error:
            if roster.source != "auto":
                raise ConfigError(f"roster.source: kubernetes cannot be used: {error}") from error
            _LOG.warning("members do not come from Kubernetes", extra={"reason": str(error)})
            return self._dns() if roster.dns.name else None
        self._closing.callback(client.close)
        kubernetes = KubernetesRoster(
            client, roster, self._me.port, self._take, rng=random.Random(), urgency=self._urgency
        )
        if not roster.dns.name:
            return kubernetes
        return FallbackRoster(kubernetes, self._dns(), roster.kubernetes.direct_limit, rng=random.Random())

    def _dns(self) -> DnsRoster:
        from kubesonar.discovery.dns import DnsRoster

        me = self._me
        source = DnsRoster(
            self._options,
            me.own_addresses,
            me.network,
            me.port,
            self._take,
            rng=random.Random(),
            urgency=self._urgency,
        )
        self._closing.callback(source.close)
        return source


def _automatic(roster: RosterOptions, environ: Mapping[str, str]) -> str:
    if roster.file:
        return "file"
    if environ.get("KUBERNETES_SERVICE_HOST"):
        return "kubernetes"
    return "dns" if roster.dns.name else "none"
