"""Copies of resources: watched while few agents do so, listed now and then where many would burden the API server."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Generic, Protocol, TypeVar

from kubesonar.discovery.urgency import Urgency, wait_for_event
from kubesonar.kube.client import ApiError, Client
from kubesonar.kube.object_meta import T
from kubesonar.kube.resource import Resource
from kubesonar.net.clock import Clock

URGENT_PERIOD = 30.0
"""Longest pause between two lists of an agent to which they are urgent (s). At 3,000 members the coordinator alone then
lists 100 objects a second; longer, it learns of members that left only after it called them dead."""

Reason = TypeVar("Reason", str, bool)

_STAY_POLLING = 0.8
"""Share of the limit of watching agents at which polling ends, so that a count at the limit changes nothing."""


class ResourceCopy(Protocol):
    """A copy of a resource.

    `items` are the objects by key, `synced` is whether they were listed once, `trouble` why they are out of date (empty
    while they are not) and `forbidden` the right that is missing ("list pods"), as `kube.reflector.Reflector` has it.
    """

    synced: bool
    trouble: str
    forbidden: str

    @property
    def items(self) -> Any: ...

    async def run(self) -> None: ...


class Poller(Generic[T]):
    """A copy of a resource that is listed now and then, and so is always somewhat behind; see `ResourceCopy`.

    A list is made every `period(objects)` seconds, after a random share of `spread()` seconds more, so that not all
    agents ask at once when polling becomes urgent to them. `changed` is called after each list; `listed` is when the
    last good one was asked for (Unix seconds). With `before` the copy begins with the objects of another one.
    """

    def __init__(
        self,
        client: Client,
        resource: Resource[T],
        changed: Callable[[], None],
        *,
        period: Callable[[int], float],
        spread: Callable[[], float] = lambda: 0.0,
        rng: random.Random,
        clock: Clock,
        urgency: Urgency | None = None,
        before: ResourceCopy | None = None,
    ) -> None:
        self.items: Mapping[str, T] = before.items if before else {}
        self.synced = before.synced if before else False
        self.trouble = before.trouble if before else ""
        self.forbidden = before.forbidden if before else ""
        self.listed = 0.0
        self.urgency = urgency or Urgency()
        self._client = client
        self._resource = resource
        self._changed = changed
        self._period = period
        self._spread = spread
        self._rng = rng
        self._clock = clock

    async def run(self) -> None:
        """List for ever, the first time at once where nothing was listed before."""
        wait = 0.0
        if not self.synced:
            await asyncio.sleep(self._rng.uniform(0, self._spread()))
            wait = await self._list()
        while True:
            await self.urgency.pause(self._period(len(self.items)) * self._rng.uniform(0.8, 1.2), URGENT_PERIOD)
            await asyncio.sleep(max(wait, self._spread() * self._rng.uniform(0.5, 1.5)))
            wait = await self._list()

    async def _list(self) -> float:
        """List once; return for how long the API server wants to be left alone (s)."""
        asked, wait = self._clock.wall(), 0.0
        try:
            listing = await self._client.list(self._resource)
        except ApiError as error:
            self.trouble = f"{self._resource.words}: {error}"
            self.forbidden = f"list {self._resource.words}" if error.status == 403 else ""
            wait = error.retry_after
        else:
            self.items = {item.metadata.key: item for item in listing.items}
            self.synced, self.trouble, self.forbidden, self.listed = True, "", "", asked
        self._changed()
        return wait


def too_many(agents: int, limit: int, polling: bool) -> bool:
    """Return whether more than `limit` agents watch, or, where they poll already, would do so again."""
    return agents > limit * (_STAY_POLLING if polling else 1)


async def follow(
    copies: Iterable[ResourceCopy],
    news: asyncio.Event,
    publish: Callable[[], tuple[bool, float | None]],
    settle: float,
    done: Callable[[], Reason],
) -> Reason:
    """Run the copies and call `publish` now and after each `news`, until `done` gives a reason; return that.

    `publish` returns whether there was anything to publish, and the seconds after which it wants to be called without
    news. Published changes are at least `settle` seconds apart, since changes often come in bursts.
    """
    async with asyncio.TaskGroup() as group:
        running = [group.create_task(copy.run()) for copy in copies]
        while not (reason := done()):
            published, wait = publish()
            if published:
                await asyncio.sleep(settle)
            if reason := done():  # what was published may be one
                break
            await wait_for_event(news, wait)
            news.clear()
        for task in running:
            task.cancel()
    return reason
