"""Snapshots of agents with the parts that a test is about, and plain values for the others."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kubesonar.model import SCHEMA, Edge, Member, Roster, Snapshot


def snapshot_of(
    member: Member,
    *edges: Edge,
    at: float = 1.0,
    started: float = 0.0,
    members: Sequence[Member] = (),
    revision: str = "1",
    **more: Any,
) -> Snapshot:
    """What `member` knows at that time, of a roster of these `members`."""
    return Snapshot(SCHEMA, member, at, started, Roster(revision, tuple(members)), edges, **more)


def lone(name: str = "a", at: float = 100.0, epoch: int = 0, roster: Sequence[Member] = ()) -> Snapshot:
    """The snapshot of a member without addresses, which has seen nothing."""
    return snapshot_of(Member(name, name, (), 0, epoch=epoch), at=at, started=1.0, members=roster)
