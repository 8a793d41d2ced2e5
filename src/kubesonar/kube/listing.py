"""A list, read page by page as it comes in."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import aclosing
from typing import Generic

import msgspec

from kubesonar.kube.errors import ApiError, unanswered
from kubesonar.kube.pages import ListMeta, Objects, Page, PageError
from kubesonar.kube.types import T
from kubesonar.net.clock import Clock
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.http.connection import HttpConnection

LIST_SILENCE = 10.0
"""Seconds without a byte after which a page is given up."""


class Listing(msgspec.Struct, Generic[T], frozen=True):
    """All objects of a resource, and the version from which a watch goes on; `skipped` were left out."""

    items: list[T]
    version: str
    skipped: int = 0


class Reading(Generic[T]):
    """A list that is being read: at most `limit` of its objects are kept, the rest counts as skipped."""

    def __init__(self, kind: type[T], limit: int) -> None:
        self.items: list[T] = []
        self.skipped = 0
        self.objects = Objects(kind)
        self._limit = limit

    def take(self, items: Iterable[T]) -> None:
        """More objects."""
        for item in items:
            if len(self.items) < self._limit:
                self.items.append(item)
            else:
                self.skipped += 1

    def listing(self, version: str) -> Listing[T]:
        """What came of it."""
        return Listing(self.items, version, self.skipped + self.objects.skipped)


async def read_page(connection: HttpConnection, reading: Reading[T], *, timeout: float, clock: Clock) -> ListMeta:
    """Reads one page. Others run in between, however fast it comes in. Raises ApiError."""
    page = Page(reading.objects)
    try:
        with Deadline(timeout, clock) as deadline:
            async with aclosing(connection.chunks(LIST_SILENCE)) as chunks:
                async for data in chunks:
                    reading.take(page.feed(data))
                    await asyncio.sleep(0)
                    if deadline.over:
                        raise deadline.passed("reading a list")
        last, meta = page.end()
    except PageError as error:
        raise ApiError(0, "wrong_answer", str(error)) from None
    except Failed as failed:
        raise unanswered(failed) from None
    reading.take(last)
    return meta
