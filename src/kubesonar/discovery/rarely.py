"""Lists a resource now and then: what is left where so many agents run that each of them watching would burden the API
server."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from kubesonar.discovery.haste import Haste
from kubesonar.discovery.listed import ListedSource
from kubesonar.kube.client import Client
from kubesonar.kube.object_meta import T
from kubesonar.kube.reflector import Reflector
from kubesonar.kube.resource import Resource

MIN_POLL = 300.0
"""Shortest period (s)."""

FAST_POLL = 30.0
"""Longest pause between two lists of an agent in haste (s): 100 objects a second at 3,000 members."""

OBJECTS_PER_SECOND = 2000.0
"""What all agents together may have listed, objects of about 10 kB each: 20 MB/s from the API server's cache."""


def poll_period(count: int) -> float:
    """Seconds between two lists where `count` agents each list `count` objects."""
    return max(MIN_POLL, count * count / OBJECTS_PER_SECOND)


class Rarely(ListedSource[T]):
    """A copy that is always somewhat behind. It begins with what a reflector has listed, and where that is nothing yet,
    with a list."""

    def __init__(
        self,
        client: Client,
        resource: Resource[T],
        changed: Callable[[], None],
        before: Reflector[T],
        *,
        rng: random.Random,
        haste: Haste,
    ) -> None:
        super().__init__(client, resource)
        self.items = before.items
        self.synced, self.trouble, self.forbidden = before.synced, before.trouble, before.forbidden
        self._changed = changed
        self._rng = rng
        self._haste = haste

    async def run(self) -> None:
        """For ever."""
        wanted = 0.0 if self.synced else await self._again()
        while True:
            await asyncio.sleep(wanted)
            await self._haste.pause(poll_period(len(self.items)) * self._rng.uniform(0.8, 1.2), FAST_POLL)
            wanted = await self._again()

    async def _again(self) -> float:
        """Lists once, and says so; how long the API server wants to be left alone (s)."""
        wanted = await self._list()
        self._changed()
        return wanted
