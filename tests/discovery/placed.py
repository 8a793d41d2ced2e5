"""Members of pods at a given time."""

from __future__ import annotations

from typing import Any

from kubesonar.discovery.pods.history import History
from kubesonar.discovery.pods.members import PodMembers, members_of_pods
from kubesonar.kube.types import Node, Pod
from kubesonar.model import Member
from tests.discovery.objects import LATER, node

STARTING = 300.0


DELETED: dict[str, Any] = {"deletionTimestamp": "2026-11-21T09:00:30Z"}


def placed(
    *pods: Pod,
    nodes: tuple[Node, ...] | None = (),
    now: float = LATER,
    port: int = 0,
    history: History | None = None,
) -> PodMembers:
    """The members of these pods, at `now` (Unix seconds), after what `history` holds."""
    known = None if nodes is None else {one.metadata.name: one for one in nodes or (node(),)}
    lists = history or History()
    lists.update(pods, known)
    return members_of_pods(pods, known, now, starting=STARTING, port=port, history=lists)


def only(*pods: Pod, **how: Any) -> Member:
    """The one member of these pods."""
    (member,) = placed(*pods, **how).members
    return member
