"""How an edge does, from its two windows."""

from __future__ import annotations

from collections.abc import Mapping

from kubesonar.model import Edge, Health, Member, Roster, Side, Snapshot

BAD_LOSS = 0.05
"""Share of what was sent within the long window that, when lost, makes an edge bad."""


def edge_health(edge: Edge, members: Mapping[str, Member]) -> Health:
    """Bad where the latest observation failed or the long window lost too much; unknown where nothing can be told or
    where silence of the target is expected (it drains, starts, is cordoned …)."""
    target = members.get(edge.latest.check.target)
    if target is not None and not target.expected:
        return Health.UNKNOWN
    if edge.latest.health is not Health.GOOD:
        return edge.latest.health
    loss = edge.long.loss
    return Health.BAD if loss is not None and loss >= BAD_LOSS else Health.GOOD


def by_name(roster: Roster) -> dict[str, Member]:
    """The members by their names."""
    return {member.name: member for member in roster.members}


def judged(snapshot: Snapshot) -> list[tuple[Edge, Health]]:
    """The edges that the snapshot's member probes itself, each with its health."""
    members = by_name(snapshot.roster)
    own = (edge for edge in snapshot.edges if edge.latest.side is Side.SOURCE)
    return [(edge, edge_health(edge, members)) for edge in own]
