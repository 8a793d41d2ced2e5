"""The health of an edge, from its latest observation and its long window."""

from __future__ import annotations

from collections.abc import Mapping

from kubesonar.model import Edge, Health, Member, Roster, Side, Snapshot

BAD_LOSS = 0.05
"""Share of the long window's datagrams that, when lost, makes an edge bad. Lower, and one lost datagram of a short
window reddens it; higher, and grey loss stays green in metrics and map."""


def edge_health(edge: Edge, members: Mapping[str, Member]) -> Health:
    """Return BAD where the latest observation failed or the long window lost too much, UNKNOWN where nothing can be
    told or the target's silence is expected (it drains, starts, is cordoned …), else GOOD."""
    target = members.get(edge.latest.check.target)
    if target is not None and not target.expected:
        return Health.UNKNOWN
    if edge.latest.health is not Health.GOOD:
        return edge.latest.health
    loss = edge.long.loss
    return Health.BAD if loss is not None and loss >= BAD_LOSS else Health.GOOD


def by_name(roster: Roster) -> dict[str, Member]:
    """Return the members by their names."""
    return {member.name: member for member in roster.members}


def judged(snapshot: Snapshot) -> list[tuple[Edge, Health]]:
    """Return the edges that the snapshot's member probes itself, each with its health."""
    members = by_name(snapshot.roster)
    own = (edge for edge in snapshot.edges if edge.latest.side is Side.SOURCE)
    return [(edge, edge_health(edge, members)) for edge in own]
