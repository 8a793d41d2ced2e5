"""The parts that Kubernetes objects of several kinds share, with bounds."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, TypeVar

import msgspec

NOTES = 64
"""Most labels and most annotations kept of one object."""

NOTE_SIZE = 512
"""Longest annotation kept (characters): longer ones are documents, such as kubectl's last applied configuration."""

MESSAGE_SIZE = 512
"""Longest message of a condition kept (characters); the rest is cut off. The API permits 32,768."""

ObjectName = Annotated[str, msgspec.Meta(max_length=253)]
"""A name of an object (RFC 1123 subdomain)."""

ObjectWord = Annotated[str, msgspec.Meta(max_length=1024)]
IpText = Annotated[str, msgspec.Meta(max_length=64)]
_Notes = dict[str, str]


class ObjectPart(msgspec.Struct, frozen=True, rename="camel"):
    """The base of all parts of objects: camelCase on the wire."""


class OwnerReference(ObjectPart, frozen=True):
    """The object that another one belongs to."""

    kind: ObjectWord = ""
    controller: bool = False


class Meta(ObjectPart, frozen=True):
    """ObjectMeta. At most `NOTES` labels and `NOTES` annotations are kept, of annotations only short ones."""

    name: ObjectName = ""
    namespace: ObjectName = ""
    resource_version: ObjectWord = ""
    labels: _Notes = msgspec.field(default_factory=dict)
    annotations: _Notes = msgspec.field(default_factory=dict)
    creation_timestamp: ObjectWord | None = None
    deletion_timestamp: ObjectWord | None = None
    deletion_grace_period_seconds: int | None = None
    owner_references: tuple[OwnerReference, ...] = ()

    def __post_init__(self) -> None:
        if len(self.labels) > NOTES:
            msgspec.structs.force_setattr(self, "labels", _bounded(self.labels))
        if self.annotations:
            msgspec.structs.force_setattr(self, "annotations", _bounded(self.annotations))

    @property
    def key(self) -> str:
        """ "namespace/name", or "name" of an object outside any namespace."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


class Object(ObjectPart, frozen=True):
    """The base of all kinds of objects."""

    metadata: Meta


T = TypeVar("T", bound=Object)


class ObjectCondition(ObjectPart, frozen=True):
    """A row of `status.conditions`; `status` is True, False or Unknown. Of a message `MESSAGE_SIZE` characters are
    kept."""

    type: ObjectWord
    status: ObjectWord
    reason: ObjectWord = ""
    message: str = ""
    last_transition_time: ObjectWord | None = None

    def __post_init__(self) -> None:
        if len(self.message) > MESSAGE_SIZE:
            msgspec.structs.force_setattr(self, "message", self.message[:MESSAGE_SIZE])

    @property
    def since(self) -> float:
        """The time since when the status is what it is (Unix seconds), 0 where that is not known."""
        return unix_seconds(self.last_transition_time)


class ObjectReference(ObjectPart, frozen=True):
    """Another object, by its name."""

    name: ObjectName = ""


def find_condition(conditions: Iterable[ObjectCondition], kind: str) -> ObjectCondition | None:
    """Return the condition of that type, None where there is none: its status is then Unknown, as the API's conventions
    say."""
    return next((row for row in conditions if row.type == kind), None)


def unix_seconds(text: str | None) -> float:
    """Return the Unix seconds of a time as the API writes it (RFC 3339), 0 for none."""
    try:
        return datetime.fromisoformat(text).timestamp() if text else 0.0
    except (ValueError, OverflowError):
        return 0.0


def _bounded(notes: _Notes) -> _Notes:
    kept = {key: value for key, value in notes.items() if len(value) <= NOTE_SIZE and len(key) <= NOTE_SIZE}
    return kept if len(kept) <= NOTES else dict(list(kept.items())[:NOTES])
