"""Lists a resource now and then: what is left where so many agents run that each of them watching would burden the API
server."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Generic

from kubesonar.discovery.haste import Haste
from kubesonar.kube.client import ApiError, Client
from kubesonar.kube.objects import T
from kubesonar.kube.reflector import Reflector
from kubesonar.kube.resource import Resource

SHORTEST = 300.0
"""Shortest period (s)."""

HURRIED = 30.0
"""Longest pause between two lists of an agent in haste (s): 100 objects a second at 3,000 members."""

OBJECTS_PER_SECOND = 2000.0
"""What all agents together may have listed, objects of about 10 kB each: 20 MB/s from the API server's cache."""


def period(count: int) -> float:
    """Seconds between two lists where `count` agents each list `count` objects."""
    return max(SHORTEST, count * count / OBJECTS_PER_SECOND)


class Rarely(Generic[T]):
    """A copy of a resource, with the attributes of `kube.reflector.Reflector`, always somewhat behind. It begins with
    what a reflector has listed, and where that is nothing yet, with a list."""

    def __init__(
        self,
        client: Client,
        resource: Resource[T],
        changed: Callable[[], None],
        before: Reflector[T],
        *,
        dice: random.Random,
        haste: Haste,
    ) -> None:
        self.items = before.items
        self.synced, self.trouble, self.forbidden = before.synced, before.trouble, before.forbidden
        self._client = client
        self._resource = resource
        self._changed = changed
        self._dice = dice
        self._haste = haste

    async def run(self) -> None:
        """For ever."""
        wanted = 0.0 if self.synced else await self._list()
        while True:
            await asyncio.sleep(wanted)
            await self._haste.pause(period(len(self.items)) * self._dice.uniform(0.8, 1.2), HURRIED)
            wanted = await self._list()

    async def _list(self) -> float:
        """Lists once; how long the API server wants to be left alone (s)."""
        try:
            listing = await self._client.list(self._resource)
        except ApiError as error:
            self.trouble = f"{self._resource.words}: {error}"
            self.forbidden = f"list {self._resource.words}" if error.status == 403 else ""
            self._changed()
            return error.retry_after
        self.items = {item.metadata.key: item for item in listing.items}
        self.synced, self.trouble, self.forbidden = True, "", ""
        self._changed()
        return 0.0
