"""What Kubernetes objects are made of: metadata, bounded, and the parts that several kinds share."""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec

NOTES = 64
"""Most labels and most annotations kept of one object."""

NOTE_SIZE = 512
"""Longest annotation kept, in characters: longer ones are documents, such as kubectl's last applied configuration."""

ObjectName = Annotated[str, msgspec.Meta(max_length=253)]
"""A name of an object (RFC 1123 subdomain)."""

ObjectWord = Annotated[str, msgspec.Meta(max_length=1024)]
Address = Annotated[str, msgspec.Meta(max_length=64)]
Notes = dict[str, str]


class ObjectPart(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The base of everything here: camelCase on the wire."""


class OwnerReference(ObjectPart, frozen=True):
    """What an object belongs to."""

    kind: ObjectWord = ""
    name: ObjectName = ""
    uid: ObjectWord = ""
    controller: bool = False


class Meta(ObjectPart, frozen=True):
    """ObjectMeta. Of labels and annotations no more than `NOTES` are kept, of annotations only short ones."""

    name: ObjectName = ""
    namespace: ObjectName = ""
    uid: ObjectWord = ""
    resource_version: ObjectWord = ""
    generation: int = 0
    labels: Notes = msgspec.field(default_factory=dict)
    annotations: Notes = msgspec.field(default_factory=dict)
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
        """ "namespace/name", or "name" of what lives in no namespace."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name


class Object(ObjectPart, frozen=True):
    """What every object has."""

    metadata: Meta


T = TypeVar("T", bound=Object)


class ObjectCondition(ObjectPart, frozen=True):
    """A row of `status.conditions`; `status` is True, False or Unknown."""

    type: ObjectWord
    status: ObjectWord
    reason: ObjectWord = ""
    message: str = ""
    last_transition_time: ObjectWord | None = None


class ObjectReference(ObjectPart, frozen=True):
    """Names another object."""

    kind: ObjectWord = ""
    namespace: ObjectName = ""
    name: ObjectName = ""
    uid: ObjectWord = ""


def _bounded(notes: Notes) -> Notes:
    kept = {key: value for key, value in notes.items() if len(value) <= NOTE_SIZE and len(key) <= NOTE_SIZE}
    return kept if len(kept) <= NOTES else dict(list(kept.items())[:NOTES])
