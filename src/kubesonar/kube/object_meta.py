"""What Kubernetes objects are made of: metadata, bounded, and the parts that several kinds share."""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec

NOTES = 64
"""Most labels and most annotations kept of one object."""

NOTE_SIZE = 512
"""Longest annotation kept, in characters: longer ones are documents, such as kubectl's last applied configuration."""

Name = Annotated[str, msgspec.Meta(max_length=253)]
"""A name of an object (RFC 1123 subdomain)."""

Word = Annotated[str, msgspec.Meta(max_length=1024)]
Address = Annotated[str, msgspec.Meta(max_length=64)]
Notes = dict[str, str]


class Part(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """The base of everything here: camelCase on the wire."""


class OwnerReference(Part, frozen=True):
    """What an object belongs to."""

    kind: Word = ""
    name: Name = ""
    uid: Word = ""
    controller: bool = False


class Meta(Part, frozen=True):
    """ObjectMeta. Of labels and annotations no more than `NOTES` are kept, of annotations only short ones."""

    name: Name = ""
    namespace: Name = ""
    uid: Word = ""
    resource_version: Word = ""
    generation: int = 0
    labels: Notes = msgspec.field(default_factory=dict)
    annotations: Notes = msgspec.field(default_factory=dict)
    creation_timestamp: Word | None = None
    deletion_timestamp: Word | None = None
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


class Object(Part, frozen=True):
    """What every object has."""

    metadata: Meta


T = TypeVar("T", bound=Object)


class Condition(Part, frozen=True):
    """A row of `status.conditions`; `status` is True, False or Unknown."""

    type: Word
    status: Word
    reason: Word = ""
    message: str = ""
    last_transition_time: Word | None = None


class ObjectReference(Part, frozen=True):
    """Names another object."""

    kind: Word = ""
    namespace: Name = ""
    name: Name = ""
    uid: Word = ""


def _bounded(notes: Notes) -> Notes:
    kept = {key: value for key, value in notes.items() if len(value) <= NOTE_SIZE and len(key) <= NOTE_SIZE}
    return kept if len(kept) <= NOTES else dict(list(kept.items())[:NOTES])
