"""The parts that Kubernetes objects of several kinds share, with bounds."""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec

NOTES = 64
"""Most labels and most annotations kept of one object."""

NOTE_SIZE = 512
"""Longest annotation kept (characters): longer ones are documents, such as kubectl's last applied configuration."""

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
    """A row of `status.conditions`; `status` is True, False or Unknown."""

    type: ObjectWord
    status: ObjectWord
    reason: ObjectWord = ""
    last_transition_time: ObjectWord | None = None


class ObjectReference(ObjectPart, frozen=True):
    """Another object, by its name."""

    name: ObjectName = ""


def _bounded(notes: _Notes) -> _Notes:
    kept = {key: value for key, value in notes.items() if len(value) <= NOTE_SIZE and len(key) <= NOTE_SIZE}
    return kept if len(kept) <= NOTES else dict(list(kept.items())[:NOTES])
