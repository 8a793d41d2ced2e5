"""The addresses behind the Service, watched."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable

from kubesonar.compat.knh.roster import ListedPeer, cut_off, in_endpoints, in_slices, terminating_in
from kubesonar.compat.knh.settings import KnhSettings
from kubesonar.core.address import family_of
from kubesonar.kube.client import Client
from kubesonar.kube.reflector import Reflector
from kubesonar.kube.reflector_schedule import ReflectorPeriods
from kubesonar.kube.resource import Resource, endpoint_slices, endpoints
from kubesonar.kube.types import Endpoints, EndpointSlice
from kubesonar.runtime.logs import Changes

_LOG = logging.getLogger("kubesonar.knh")
_CUT_OFF = "Endpoints end at 1000 addresses: permit EndpointSlices to be listed and watched"


class Peers:
    """Lists and watches EndpointSlices of the Service; where that is not permitted, its Endpoints. Calls `changed` with
    the whole list and the addresses of the pods that terminate (None where the API does not say). During an outage of
    the API server the last list stays in force."""

    def __init__(
        self,
        client: Client,
        settings: KnhSettings,
        changed: Callable[[list[ListedPeer], frozenset[str] | None], None],
        rng: random.Random,
        options: ReflectorPeriods | None = None,
    ) -> None:
        self._family = family_of(settings.pod_ip)
        self._port = settings.port
        self._changed = changed
        self._news = asyncio.Event()
        self._changes = Changes(_LOG)
        namespace, service = settings.namespace, settings.service_name
        self._slices: Reflector[EndpointSlice] = Reflector(
            client,
            Resource(endpoint_slices(namespace), EndpointSlice, labels=f"kubernetes.io/service-name={service}"),
            self._news.set,
            rng=rng,
            periods=options,
        )
        self._endpoints: Reflector[Endpoints] = Reflector(
            client,
            Resource(endpoints(namespace), Endpoints, fields=f"metadata.name={service}"),
            self._news.set,
            rng=rng,
            periods=options,
        )

    async def run(self) -> None:
        """Watch until cancelled. EndpointSlices are tried again from time to time, in case they become permitted."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._slices.run())
            older: asyncio.Task[None] | None = None
            while True:
                await self._news.wait()
                self._news.clear()
                if self._slices.forbidden and not self._slices.synced and older is None:
                    older = group.create_task(self._endpoints.run())
                elif self._slices.synced and older is not None:
                    older.cancel()
                    older = None
                self._look()

    def _look(self) -> None:
        if self._slices.synced:
            self._changes.note("peers", self._slices.trouble)
            slices = self._slices.items.values()
            self._changed(in_slices(slices, self._family, self._port), terminating_in(slices, self._port))
        elif self._endpoints.synced:
            found = self._endpoints.items.values()
            self._changes.note("peers", self._endpoints.trouble or (_CUT_OFF if cut_off(found) else ""))
            self._changed(in_endpoints(found, self._family, self._port), None)
        else:
            wants = [reflector.forbidden for reflector in (self._slices, self._endpoints) if reflector.forbidden]
            missing = f"not permitted: {' nor '.join(wants)}" if wants else ""
            self._changes.note("peers", missing or self._slices.trouble)
