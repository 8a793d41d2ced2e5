"""Lists a small resource now and then, and sooner where somebody doubts it: for so many agents that each of them
watching would have the API server send every change to all of them."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable, Mapping
from typing import Generic

from kubesonar.kube.client import ApiError, Client
from kubesonar.kube.objects import T
from kubesonar.kube.resource import Resource
from kubesonar.net.clock import Clock

LISTS = 2.0
"""Lists a second that all agents together make, each with a TLS handshake."""

DOUBTS = 10.0
"""The same while something that was listed does not answer: it may be gone."""

SHORTEST = 60.0
"""Shortest time between two lists by one agent that doubts nothing (s)."""


class Sometimes(Generic[T]):
    """A copy of a resource, with the attributes of `kube.reflector.Reflector`; `agents` says how many list it."""

    def __init__(
        self,
        client: Client,
        resource: Resource[T],
        changed: Callable[[], None],
        agents: Callable[[], int],
        *,
        dice: random.Random,
        clock: Clock,
    ) -> None:
        self.listed = 0.0
        """When the last good list was asked for (Unix seconds)."""
        self.items: Mapping[str, T] = {}
        self.synced, self.trouble, self.forbidden = False, "", ""
        self._client = client
        self._resource = resource
        self._changed = changed
        self._agents = agents
        self._dice = dice
        self._clock = clock
        self._doubt = asyncio.Event()

    def doubt(self) -> None:
        """What is listed does not answer."""
        self._doubt.set()

    async def run(self) -> None:
        """For ever."""
        await asyncio.sleep(self._dice.uniform(0, self._agents() / DOUBTS))
        while True:
            wanted = await self._list()
            self._changed()
            self._doubt.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(SHORTEST, self._agents() / LISTS) * self._dice.uniform(0.8, 1.2)):
                    await self._doubt.wait()
            await asyncio.sleep(max(wanted, self._agents() / DOUBTS * self._dice.uniform(0.5, 1.5)))

    async def _list(self) -> float:
        """Lists once; how long the API server wants to be left alone (s)."""
        now = self._clock.wall()
        try:
            listing = await self._client.list(self._resource)
        except ApiError as error:
            self.trouble = f"{self._resource.words}: {error}"
            self.forbidden = f"list {self._resource.words}" if error.status == 403 else ""
            return error.retry_after
        self.items = {item.metadata.key: item for item in listing.items}
        self.synced, self.trouble, self.forbidden, self.listed = True, "", "", now
        return 0.0
