"""Watches the cluster once for all agents, and publishes what they are to be handed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping

from kubesonar.apps.collector.options import CollectorRosterOptions
from kubesonar.config import ConfigError
from kubesonar.core.probing.cluster_document import CLUSTER_SCHEMA, ClusterDocument
from kubesonar.core.probing.cluster_options import ClusterOptions, OwnServiceOptions
from kubesonar.discovery.kubernetes import KubernetesRoster
from kubesonar.discovery.options import RosterOptions
from kubesonar.discovery.services import ServicesUpdate, ServiceWatch
from kubesonar.kube.auth.credential_file import CredentialsError
from kubesonar.kube.auth.loading_rules import find_credentials
from kubesonar.kube.client import Client
from kubesonar.model import MEMBER_PORT, Roster
from kubesonar.net.clock import Clock


class SharedClusterWatch:
    """Calls `publish` with each document that differs, once members are known. Raises ConfigError where the credentials
    cannot be used. `close` it."""

    def __init__(
        self,
        options: CollectorRosterOptions,
        environ: Mapping[str, str],
        clock: Clock,
        publish: Callable[[ClusterDocument], None],
    ) -> None:
        try:
            self._client = Client(find_credentials(environ, options.kubernetes.kubeconfig), clock=clock)
        except CredentialsError as error:
            raise ConfigError(f"roster.source: kubernetes cannot be used: {error}") from error
        self._publish = publish
        self._roster: Roster | None = None
        self._services = ServicesUpdate()
        self._members = KubernetesRoster(
            self._client,
            RosterOptions(linger=options.linger, kubernetes=options.kubernetes),
            MEMBER_PORT,
            self._roster_changed,
            rng=random.Random(),
        )
        self._watch = ServiceWatch(
            self._client,
            ClusterOptions(dns=options.dns, service=OwnServiceOptions(name=options.service)),
            True,
            options.kubernetes.direct_limit,
            self._services_changed,
            rng=random.Random(),
            clock=clock,
        )

    async def run(self) -> None:
        """Watch until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._members.watch())
            group.create_task(self._watch.run())

    def close(self) -> None:
        """Close what is open to the API server."""
        self._client.close()

    def _roster_changed(self, roster: Roster) -> None:
        self._roster = roster
        self._changed()

    def _services_changed(self, services: ServicesUpdate) -> None:
        self._services = services
        self._changed()

    def _changed(self) -> None:
        known = self._services
        if self._roster is not None and (self._roster.members or not self._roster.stale):
            self._publish(
                ClusterDocument(
                    CLUSTER_SCHEMA,
                    self._roster,
                    known.dns_pods,
                    known.vips,
                    known.service,
                    known.lost,
                    known.complete,
                )
            )
