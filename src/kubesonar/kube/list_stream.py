"""A list read while it comes in: cut into its objects at once, because lists are long and memory is short.

The API server writes a list without white space, so one object ends and the next begins with `},{` and the first
object's first key. That may occur within an object too, so a cut counts only where the bytes before it are one whole
JSON value; where no cut counts, everything is decoded at the end.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import aclosing, suppress
from typing import Generic

import msgspec

from kubesonar.core.decoding import TooDeep, Undecodable, decode_json, decode_without_nulls
from kubesonar.kube.errors import ApiError, unanswered
from kubesonar.kube.object_meta import Meta, ObjectPart, T
from kubesonar.net.clock import Clock
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.http.connection import HttpConnection

LIST_SILENCE = 10.0
"""Seconds without a byte after which a page is given up. Shorter fails slow servers, longer delays the next attempt."""

REST_LIMIT = 32 << 20
"""Most bytes kept of a list that cannot be cut; more is refused. An object has at most 1.5 MiB (etcd,
--max-request-bytes)."""

_ITEMS = b'"items":['
_HEAD_LIMIT = 65_536
"""Bytes at the beginning of a list in which its items must begin, else it is decoded at the end."""

_FALSE_CUTS = 16
"""Cuts within one object after which the rest is decoded at the end: each costs a look at the object from its start."""

_FIRST_KEY = re.compile(rb'\{"[A-Za-z]{1,64}":')


class PageError(Exception):
    """Bytes that are no list."""


class ListMeta(ObjectPart, frozen=True):
    """ListMeta: the version of the list, and a token for the rest of it."""

    resource_version: str = ""
    continue_: str = msgspec.field(default="", name="continue")


class _Page(ObjectPart, frozen=True):
    metadata: ListMeta = ListMeta()
    items: list[msgspec.Raw] | None = None


class _Bare(ObjectPart, frozen=True):
    metadata: Meta


class ObjectDecoder(Generic[T]):
    """Decodes objects of one kind; `skipped` counts those that do not fit."""

    def __init__(self, kind: type[T]) -> None:
        self._kind = kind
        self.skipped = 0

    def decode(self, data: bytes | msgspec.Raw) -> T | None:
        """Return the object, None where it does not fit. Raises Undecodable for less than one JSON value."""
        try:
            return decode_json(data, self._kind)
        except TooDeep:
            pass
        except Undecodable:
            decode_json(data, msgspec.Raw)
            with suppress(Undecodable):
                return decode_without_nulls(data, self._kind)
        self.skipped += 1
        return None


def meta_of(data: msgspec.Raw) -> Meta | None:
    """Return the metadata of an object whose other fields do not fit, None where the metadata does not fit either."""
    try:
        return decode_json(data, _Bare).metadata
    except Undecodable:
        return None


class Listing(msgspec.Struct, Generic[T], frozen=True):
    """All objects of a resource, and the version from which a watch goes on; `skipped` objects were left out."""

    items: list[T]
    version: str
    skipped: int = 0


class ListReader(Generic[T]):
    """Reads the pages of one list; keeps at most `limit` objects and counts the rest as skipped."""

    def __init__(self, kind: type[T], limit: int) -> None:
        self._items: list[T] = []
        self._dropped = 0
        self._decoder = ObjectDecoder(kind)
        self._limit = limit

    async def read_page(self, connection: HttpConnection, *, timeout: float, clock: Clock) -> ListMeta:
        """Read one page within `timeout` seconds; other tasks run between its pieces. Raises ApiError."""
        page = ListPage(self._decoder)
        try:
            with Deadline(timeout, clock) as deadline:
                async with aclosing(connection.chunks(LIST_SILENCE)) as chunks:
                    async for data in chunks:
                        self._keep(page.feed(data))
                        await asyncio.sleep(0)
                        if deadline.over:
                            raise deadline.passed("reading a list")
            last, meta = page.end()
        except PageError as error:
            raise ApiError(0, "wrong_answer", str(error)) from None
        except Failed as failed:
            raise unanswered(failed) from None
        self._keep(iter(last))
        return meta

    def listing(self, version: str) -> Listing[T]:
        """Return everything that was read; `version` is that of the last page."""
        return Listing(self._items, version, self._dropped + self._decoder.skipped)

    def _keep(self, items: Iterator[T]) -> None:
        for item in items:
            if len(self._items) < self._limit:
                self._items.append(item)
            else:
                self._dropped += 1


class ListPage(Generic[T]):
    """One page of a list: `feed` it the bytes as they come in, then call `end`. Both raise PageError."""

    def __init__(self, decoder: ObjectDecoder[T]) -> None:
        self._decoder = decoder
        self._head = b""
        self._between = b""
        self._rest = bytearray()
        self._looked = 0
        self._false = 0

    def feed(self, data: bytes) -> Iterator[T]:
        """Yield the objects that are complete now."""
        self._rest += data
        if len(self._rest) > REST_LIMIT:
            raise PageError(f"an object of more than {REST_LIMIT >> 20} MiB")
        if self._between or self._begin():
            yield from self._cut()

    def end(self) -> tuple[list[T], ListMeta]:
        """Return the last objects and the metadata of the list."""
        try:
            page = decode_json(self._head + self._rest, _Page)
            found = [self._decoder.decode(raw) for raw in page.items or ()]
        except Undecodable as error:
            raise PageError(f"not a list: {error}") from None
        return [item for item in found if item is not None], page.metadata

    def _begin(self) -> bool:
        """Find where the objects begin, and with which key; return whether they have begun."""
        at = self._rest.find(_ITEMS, 0, _HEAD_LIMIT)
        first = _FIRST_KEY.match(self._rest, at + len(_ITEMS)) if at >= 0 else None
        if first is None:
            return False
        self._between = b"}," + first[0]
        self._head = bytes(self._rest[: at + len(_ITEMS)])
        del self._rest[: len(self._head)]
        return True

    def _cut(self) -> Iterator[T]:
        while self._false < _FALSE_CUTS:
            at = self._rest.find(self._between, self._looked)
            if at < 0:
                self._looked = max(0, len(self._rest) - len(self._between))
                return
            try:
                item = self._decoder.decode(bytes(self._rest[: at + 1]))
            except Undecodable:
                self._false, self._looked = self._false + 1, at + 1
                continue
            del self._rest[: at + 2]
            self._looked = self._false = 0
            if item is not None:
                yield item
