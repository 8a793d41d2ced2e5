"""A list that comes in piece by piece, cut into its objects at once: lists are long, our memory is short.

The API server writes a list without white space, so one object ends and the next begins with `},{` and the first
object's first key. That may stand within an object too, so a cut counts only where what lies before it is one whole
JSON value; where that is never so, everything is decoded at the end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Generic

import msgspec

from kubesonar.kube.types import Meta, ObjectPart, T

REST_LIMIT = 32 << 20
"""Most bytes kept of a list that cannot be cut (an object is at most 1.5 MiB in etcd, --max-request-bytes)."""

_ITEMS = b'"items":['
_HEAD_LIMIT = 65_536
_FALSE_CUTS = 16
_FIRST_KEY = re.compile(rb'\{"[A-Za-z]{1,64}":')


class PageError(Exception):
    """What came in is no list."""


class ListMeta(ObjectPart, frozen=True):
    """ListMeta: the version of the list, and a token for the rest of it."""

    resource_version: str = ""
    continue_: str = msgspec.field(default="", name="continue")


class _Page(ObjectPart, frozen=True):
    metadata: ListMeta = ListMeta()
    items: list[msgspec.Raw] | None = None


class _Bare(ObjectPart, frozen=True):
    metadata: Meta


class Objects(Generic[T]):
    """Decodes objects; `skipped` counts those that do not fit."""

    def __init__(self, kind: type[T]) -> None:
        self._decoder = msgspec.json.Decoder(kind)
        self.skipped = 0

    def decode(self, data: bytes | msgspec.Raw) -> T | None:
        """The object, None where it does not fit. Raises msgspec.DecodeError where it is not one whole JSON value."""
        try:
            return self._decoder.decode(data)
        except msgspec.ValidationError:
            msgspec.json.decode(data, type=msgspec.Raw)
        except RecursionError:
            pass
        self.skipped += 1
        return None


def meta_of(data: msgspec.Raw) -> Meta | None:
    """The metadata of an object that does not fit otherwise."""
    try:
        return msgspec.json.decode(data, type=_Bare).metadata
    except (msgspec.DecodeError, RecursionError):
        return None


class Page(Generic[T]):
    """One page of a list: `feed` what comes in, then ask `end`. Raises PageError."""

    def __init__(self, objects: Objects[T]) -> None:
        self._objects = objects
        self._head = b""
        self._between = b""
        self._rest = bytearray()
        self._looked = 0
        self._false = 0

    def feed(self, data: bytes) -> Iterator[T]:
        """The objects that are complete now."""
        self._rest += data
        if len(self._rest) > REST_LIMIT:
            raise PageError(f"an object of more than {REST_LIMIT >> 20} MiB")
        if self._between or self._begin():
            yield from self._cut()

    def end(self) -> tuple[list[T], ListMeta]:
        """The last objects, and what the list says of itself."""
        try:
            page = msgspec.json.decode(self._head + self._rest, type=_Page)
            found = [self._objects.decode(raw) for raw in page.items or ()]
        except (msgspec.DecodeError, RecursionError) as error:
            raise PageError(f"not a list: {error}") from None
        return [item for item in found if item is not None], page.metadata

    def _begin(self) -> bool:
        """Finds where the objects begin, and with which key."""
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
                item = self._objects.decode(bytes(self._rest[: at + 1]))
            except msgspec.DecodeError:
                self._false, self._looked = self._false + 1, at + 1
                continue
            del self._rest[: at + 2]
            self._looked = self._false = 0
            if item is not None:
                yield item
