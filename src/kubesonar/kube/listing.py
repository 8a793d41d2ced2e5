"""A list, read page by page as it comes in."""

from __future__ import annotations

from contextlib import aclosing
from typing import Generic

import msgspec

from kubesonar.kube.errors import ApiError, unanswered
from kubesonar.kube.objects import T
from kubesonar.kube.pages import ListMeta, Objects, Page, PageError
from kubesonar.net.clock import Clock
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.http import HttpConnection

SILENCE = 10.0
"""Seconds without a byte after which a page is given up."""


class Listing(msgspec.Struct, Generic[T], frozen=True):
    """All objects of a resource, and the version from which a watch goes on; `skipped` were left out."""

    items: list[T]
    version: str
    skipped: int = 0


async def read_page(
    connection: HttpConnection, objects: Objects[T], items: list[T], *, timeout: float, clock: Clock
) -> ListMeta:
    """Appends one page's objects to `items`. Raises ApiError."""
    page = Page(objects)
    try:
        with Deadline(timeout, clock) as deadline:
            async with aclosing(connection.chunks(SILENCE)) as chunks:
                async for data in chunks:
                    items.extend(page.feed(data))
                    if deadline.over:
                        raise deadline.passed("reading a list")
        last, meta = page.end()
    except PageError as error:
        raise ApiError(0, "wrong_answer", str(error)) from None
    except Failed as failed:
        raise unanswered(failed) from None
    items.extend(last)
    return meta
