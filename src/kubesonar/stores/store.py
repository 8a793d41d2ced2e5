"""The protocol of a store: named records of several kinds, written all or nothing, on a condition, with an end."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

import msgspec

VALUE_LIMIT = 256 << 10
"""Largest value (bytes). etcd and the API server refuse a request above 1.5 MiB, in which a write of several records
has to fit; lower, and an incident with much evidence is refused."""

WRITE_LIMIT = 1 << 20
"""Most bytes of all values of one write. Higher, and etcd refuses it; lower, and a caller has to split more often."""

CHANGES_LIMIT = 100
"""Most changes of one write. Higher, and etcd, which takes 128 operations a transaction, refuses it."""

READ_LIMIT = 1000
"""Most records of one read. Higher, and an answer of etcd may exceed what is read of it; lower: more round trips."""

_KIND = re.compile(r"[a-z]{1,32}")
_NAME = re.compile(r"[A-Za-z0-9._-]{1,253}")


class Put(msgspec.Struct, frozen=True):
    """Sets the record `name` of `kind` to `value`, the UTF-8 text of one JSON object. After `time_to_live` seconds
    (None: never) the record is gone; each `Put` counts anew, and a store may keep a record two seconds or a
    fiftieth of that time longer. What is closed, such as an ended incident, gets a time to live, which is its
    retention."""

    kind: str
    name: str
    value: bytes
    time_to_live: float | None = None


class Delete(msgspec.Struct, frozen=True):
    """Removes a record; nothing happens where there is none."""

    kind: str
    name: str


Change = Put | Delete


class Guard(msgspec.Struct, frozen=True):
    """A condition of a write: the record has exactly this `value`, or does not exist (None)."""

    kind: str
    name: str
    value: bytes | None = None


class StoredRecord(msgspec.Struct, frozen=True):
    """A record as it was read."""

    name: str
    value: bytes


class StoreUnavailable(Exception):
    """The store cannot be used now: it is away, its disk is full, it has no quorum. Whether a write was done is
    unknown; the same write may be tried again. The message is a clause."""


class StoreRefused(ValueError):
    """The store refuses this request whenever it is made, such as one with too large a value. The message is a clause
    that names what is wrong."""


class Store(Protocol):
    """Keeps records. A kind is 1 to 32 lower-case letters; a name 1 to 253 letters, digits, ".", "_" and "-".

    Every method but `close` raises `StoreUnavailable` and `StoreRefused`. None waits longer than some seconds. A store
    connects when it is first used and again after each failure, so that a later call may succeed."""

    async def write(self, changes: Sequence[Change], guard: Guard | None = None) -> bool:
        """Make the changes, all or none of them, and return True once they are durable: a crash or a power cut loses
        nothing of them. Return False, with nothing changed, where the guard does not hold. Of two changes of one
        record the later counts. `KubernetesStore` alone makes them one by one and checks the guard before."""

    async def get(self, kind: str, name: str) -> bytes | None:
        """Return the value of a record, None where there is none."""

    async def read(
        self, kind: str, *, prefix: str = "", after: str = "", limit: int = READ_LIMIT
    ) -> list[StoredRecord]:
        """Return at most `limit` records of the kind whose names begin with `prefix` and are greater than `after`, in
        the order of their names as bytes. Fewer than `limit` (at most `READ_LIMIT`) means that there are no more."""

    async def close(self) -> None:
        """Give back files and connections. What `write` has returned for stays."""


def check_write(changes: Sequence[Change], guard: Guard | None) -> None:
    """Raise `StoreRefused` where a write is outside the limits, which are the same for every store."""
    if len(changes) > CHANGES_LIMIT:
        raise StoreRefused(f"a write has {len(changes)} changes, expected at most {CHANGES_LIMIT}")
    for change in changes:
        check_name(change.kind, change.name)
        if isinstance(change, Put):
            _check_put(change)
    size = sum(len(change.value) for change in changes if isinstance(change, Put))
    if size > WRITE_LIMIT:
        raise StoreRefused(f"the values of a write have {size} bytes, expected at most {WRITE_LIMIT}")
    if guard is not None:
        check_name(guard.kind, guard.name)


def last_changes(changes: Sequence[Change]) -> dict[tuple[str, str], Change]:
    """Return the change of each record, by kind and name, that counts: of two the later."""
    return {(change.kind, change.name): change for change in changes}


def check_name(kind: str, name: str) -> None:
    """Raise `StoreRefused` where kind or name cannot be those of a record."""
    if not _KIND.fullmatch(kind):
        raise StoreRefused(f"the kind {kind[:64]!r} is not 1 to 32 lower-case letters")
    if not is_record_name(name):
        raise StoreRefused(f"the name {name[:64]!r} is not 1 to 253 letters, digits, '.', '_' and '-'")


def is_record_name(name: str) -> bool:
    """Return whether a record may have that name."""
    return _NAME.fullmatch(name) is not None


def check_read(kind: str, prefix: str, after: str, limit: int) -> None:
    """Raise `StoreRefused` where a read is outside the limits."""
    for name in (prefix or "-", after or "-"):
        check_name(kind, name)
    if not 1 <= limit <= READ_LIMIT:
        raise StoreRefused(f"the limit is {limit}, expected 1 to {READ_LIMIT}")


def _check_put(put: Put) -> None:
    if len(put.value) > VALUE_LIMIT:
        raise StoreRefused(
            f"the value of {put.kind}/{put.name} has {len(put.value)} bytes, expected at most {VALUE_LIMIT}"
        )
    if put.time_to_live is not None and not 1 <= put.time_to_live <= 1e9:
        raise StoreRefused(f"the time to live of {put.kind}/{put.name} is {put.time_to_live} s, expected 1 to 1e9")
