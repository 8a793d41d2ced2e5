"""Reads the snapshots that agents send, and keeps one for each member."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from kubesonar.core.decoding import Undecodable, decode_json
from kubesonar.model import SCHEMA, Snapshot, clip

REASON_LIMIT = 120
"""Longest reason why there is no snapshot, in characters. Shorter, and the field at fault is cut off; longer, and a
stranger fills the terminal."""


class _Head(msgspec.Struct):
    schema: int


def decode_snapshot(body: bytes) -> Snapshot | str:
    """Return the snapshot in `body`, or the reason why there is none. Everything in it is a stranger's claim."""
    try:
        snapshot = decode_json(body, Snapshot)
    except Undecodable as error:
        return _unreadable(body, clip(str(error), REASON_LIMIT))
    return snapshot if snapshot.schema == SCHEMA else _other_schema(snapshot.schema)


def newest(snapshots: Iterable[Snapshot]) -> dict[str, Snapshot]:
    """Return one snapshot for each member's name: that of its latest life, and of that the latest."""
    found: dict[str, Snapshot] = {}
    for snapshot in snapshots:
        known = found.get(snapshot.member.name)
        if known is None or (snapshot.member.epoch, snapshot.at) >= (known.member.epoch, known.at):
            found[snapshot.member.name] = snapshot
    return found


def _unreadable(body: bytes, reason: str) -> str:
    try:
        head = decode_json(body, _Head)
    except Undecodable:
        return f"its answer is no snapshot: {reason}"
    return _other_schema(head.schema) if head.schema != SCHEMA else f"its snapshot is malformed: {reason}"


def _other_schema(schema: int) -> str:
    return f"version mismatch: its snapshot has schema {schema}, expected {SCHEMA}"
