"""Lists a small resource now and then, and sooner where somebody doubts it: for so many agents that each of them
watching would have the API server send every change to all of them."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable

from kubesonar.discovery.listed import ListedSource
from kubesonar.kube.client import Client
from kubesonar.kube.object_meta import T
from kubesonar.kube.resource import Resource
from kubesonar.net.clock import Clock

LISTS = 2.0
"""Lists a second that all agents together make, each with a TLS handshake."""

DOUBTS = 10.0
"""The same while something that was listed does not answer: it may be gone."""

MIN_RETRY = 60.0
"""Shortest time between two lists by one agent that doubts nothing (s)."""


class Sometimes(ListedSource[T]):
    """A copy of a resource; `agents` says how many list it."""

    def __init__(
        self,
        client: Client,
        resource: Resource[T],
        changed: Callable[[], None],
        agents: Callable[[], int],
        *,
        rng: random.Random,
        clock: Clock,
    ) -> None:
        super().__init__(client, resource)
        self.listed = 0.0
        """When the last good list was asked for (Unix seconds)."""
        self._changed = changed
        self._agents = agents
        self._rng = rng
        self._clock = clock
        self._doubt = asyncio.Event()

    def doubt(self) -> None:
        """What is listed does not answer."""
        self._doubt.set()

    async def run(self) -> None:
        """For ever."""
        await asyncio.sleep(self._rng.uniform(0, self._agents() / DOUBTS))
        while True:
            asked = self._clock.wall()
            wanted = await self._list()
            if not self.trouble:
                self.listed = asked
            self._changed()
            self._doubt.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(MIN_RETRY, self._agents() / LISTS) * self._rng.uniform(0.8, 1.2)):
                    await self._doubt.wait()
            await asyncio.sleep(max(wanted, self._agents() / DOUBTS * self._rng.uniform(0.5, 1.5)))
