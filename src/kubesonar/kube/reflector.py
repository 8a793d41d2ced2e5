"""Keeps a copy of a resource: lists it, watches its changes, and keeps what it has through every outage."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable, Mapping
from contextlib import aclosing
from typing import Generic

import msgspec

from kubesonar.kube.client import ITEM_LIMIT, Client, Event
from kubesonar.kube.errors import ApiError
from kubesonar.kube.object_meta import T
from kubesonar.kube.reflector_schedule import (
    NextAction,
    ReflectorAction,
    ReflectorPeriods,
    ReflectorSchedule,
)
from kubesonar.kube.resource import Resource
from kubesonar.net.clock import Clock, SystemClock

_LOG = logging.getLogger("kubesonar.kube")


class Reflector(Generic[T]):
    """A copy of a resource that is watched.

    `items` are the objects by "namespace/name" ("name" for those outside any namespace), `synced` is whether they were
    listed once, `trouble` why they are out of date (empty while they are not) and `forbidden` the right that is missing
    ("watch pods"). `changed` is called after each change of any of these; a new version alone is no change.
    """

    def __init__(
        self,
        client: Client,
        resource: Resource[T],
        changed: Callable[[], None],
        *,
        rng: random.Random,
        clock: Clock | None = None,
        periods: ReflectorPeriods | None = None,
    ) -> None:
        self.synced = False
        self.trouble = ""
        self.forbidden = ""
        self._client = client
        self._resource = resource
        self._changed = changed
        self._clock = clock or SystemClock()
        self._periods = periods or ReflectorPeriods()
        self._schedule = ReflectorSchedule(rng, self._periods)
        self._items: dict[str, T] = {}
        self._version = ""
        self._since = 0.0

    @property
    def items(self) -> Mapping[str, T]:
        """The objects as they were last known."""
        return self._items

    async def run(self) -> None:
        """List and watch for ever."""
        following = self._schedule.first()
        while True:
            await asyncio.sleep(following.wait)
            following = await self._take(following.action)

    async def _take(self, action: ReflectorAction) -> NextAction:
        if action is ReflectorAction.WATCH:
            return await self._watch()
        try:
            listing = await self._client.list(self._resource, action.value)
        except ApiError as error:
            self._note_trouble(action, error)
            return self._schedule.failed(self._clock.mono(), action, error)
        self._replace({item.metadata.key: item for item in listing.items}, listing.version)
        return self._schedule.listed(self._clock.mono())

    async def _watch(self) -> NextAction:
        began: float | None = None
        seconds = self._schedule.watch_seconds()
        try:
            events = self._client.watch(self._resource, self._version, seconds=seconds, silence=self._periods.silence)
            async with aclosing(events):
                async for event in events:
                    if began is None:
                        began = self._begin()
                    self._apply(event)
        except ApiError as error:
            return self._broken(error, began)
        return self._schedule.ended(self._clock.mono(), self._lasted(began))

    def _broken(self, error: ApiError, began: float | None) -> NextAction:
        """Handle a watch that was refused or torn; one that is torn or expires once is no trouble yet."""
        now, lasted = self._clock.mono(), self._lasted(began)
        if began is not None and not error.status:
            following = self._schedule.ended(now, lasted)
        else:
            following = self._schedule.failed(now, ReflectorAction.WATCH, error, lasted)
        if (began is None and error.status != 410) or self._schedule.failures > 1:
            self._note_trouble(ReflectorAction.WATCH, error)
        return following

    def _begin(self) -> float:
        self._schedule.began()
        self._note_current(may_watch=True)
        return self._clock.mono()

    def _lasted(self, began: float | None) -> float:
        return 0.0 if began is None else self._clock.mono() - began

    def _replace(self, items: dict[str, T], version: str) -> None:
        news = not self.synced or len(items) != len(self._items)
        news = news or any(_differs(self._items.get(key), item) for key, item in items.items())
        self._items, self._version, self.synced = items, version, True
        self._note_current(news=news)

    def _apply(self, event: Event[T]) -> None:
        self._version = event.version
        if event.type == "DELETED":
            if self._items.pop(event.key, None) is not None:
                self._changed()
        elif event.object is not None and (event.key in self._items or len(self._items) < ITEM_LIMIT):
            before, self._items[event.key] = self._items.get(event.key), event.object
            if _differs(before, event.object):
                self._changed()

    def _note_current(self, *, news: bool = False, may_watch: bool = False) -> None:
        """Record that the items are current."""
        if self.trouble:
            _LOG.info("%s: current again", self._resource.words)
        allowed = bool(self.forbidden) and (may_watch or self.forbidden.startswith("list"))
        news = news or bool(self.trouble) or allowed
        self.trouble = ""
        self.forbidden = "" if allowed else self.forbidden
        if news:
            self._changed()

    def _note_trouble(self, action: ReflectorAction, error: ApiError) -> None:
        """Record that the items are out of date; where only the right to watch is missing they are not."""
        before = self.trouble, self.forbidden
        if error.status == 403:
            verb = "watch" if action is ReflectorAction.WATCH else "list"
            self.forbidden = f"{verb} {self._resource.words}"
        if error.status != 403 or action is not ReflectorAction.WATCH:
            self._since = self._since if self.trouble else self._clock.wall()
            self.trouble = f"{self._resource.words}: {error} (since {_utc(self._since)})"
        if (self.trouble, self.forbidden) != before:
            if bool(self.trouble) != bool(before[0]) or self.forbidden != before[1]:
                _LOG.warning("%s", self.trouble or f"not permitted: {self.forbidden}; listed now and then instead")
            self._changed()


def _differs(old: T | None, new: T) -> bool:
    """Return whether more than the version is new."""
    if old is None:
        return True
    meta = msgspec.structs.replace(old.metadata, resource_version=new.metadata.resource_version)
    return msgspec.structs.replace(old, metadata=meta) != new


def _utc(wall: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(wall))
