"""The lines of a watch (https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes)."""

from __future__ import annotations

from typing import Generic

import msgspec

from kubesonar.core.decoding import Undecodable, decode_json
from kubesonar.kube.errors import refused_within
from kubesonar.kube.list_stream import ObjectDecoder, meta_of
from kubesonar.kube.object_meta import T

_CHANGES = frozenset({"ADDED", "MODIFIED", "DELETED"})


class Event(msgspec.Struct, Generic[T], frozen=True):
    """ADDED, MODIFIED, DELETED or BOOKMARK, by which only the version is new.

    `object` is None in a bookmark and where it does not fit; then `key` names it all the same.
    """

    type: str
    object: T | None
    version: str
    key: str = ""

    @property
    def unfit(self) -> bool:
        """True for an event whose object does not fit."""
        return self.object is None and bool(self.key)


class _Line(msgspec.Struct, frozen=True):
    type: str
    object: msgspec.Raw


def read_event(data: bytes, decoder: ObjectDecoder[T]) -> Event[T] | None:
    """Return the event in a line, None where the line is of no use. Raises ApiError for an ERROR event."""
    try:
        line = decode_json(data, _Line)
        found = decoder.decode(line.object) if line.type in _CHANGES else None
    except Undecodable:
        return None
    if line.type == "ERROR":
        raise refused_within(bytes(line.object))
    meta = found.metadata if found is not None else meta_of(line.object)
    if meta is None or not meta.resource_version:
        return None
    return Event(line.type if meta.name else "BOOKMARK", found, meta.resource_version, meta.key)
