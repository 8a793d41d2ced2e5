"""Nodes whose kernel says itself that it drops packets for want of room: a cause that no probe can show."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from kubesonar.core.diagnosis.population import Population
from kubesonar.model import Network, Saturation

FULL = 0.9
"""Share of the conntrack table in use from which on it is full. Lower, and a busy table is called full; higher, and one
that is cleared while it is read is not."""

DROPS = 5
"""Packets dropped within the last minute for want of a conntrack entry that are no accident."""

BACKLOG_DROPS = 100
"""Packets that found a CPU's backlog full within the last minute, from which on they may be what probes miss; a few are
dropped on every busy node."""

_NOTICED = 2
"""Times the drops of a node that is well from which on a node's backlog is full. Less, and nodes that share a kernel,
as those of one machine do, are accused of its drops; more, and a busy cluster hides a full backlog."""


def full_conntrack(who: Population) -> dict[str, str]:
    """Return the nodes whose conntrack table is full, each with how full it is, in words. Only agents in the host
    network see the node's own table."""
    found = {}
    for node, saturation in _by_node(who, Network.HOST):
        used, limit = saturation.conntrack_entries or 0, saturation.conntrack_limit or 0
        dropped = (saturation.conntrack_drops or 0) + (saturation.conntrack_early_drops or 0)
        if limit and used >= FULL * limit and dropped >= DROPS:
            found[node] = f"{used:,} of {limit:,} entries, {dropped:,} dropped in the last {saturation.span:.0f} s"
    return found


def full_backlog(who: Population, well: Collection[str]) -> dict[str, str]:
    """Return the nodes that drop packets which find a CPU's backlog full, each with how many, in words. Where a node
    that is `well` drops about as many, these are not what probes miss."""
    found = {}
    said = [(node, saturation, saturation.softnet_drops or 0) for node, saturation in _by_node(who, None)]
    unnoticed = max((dropped for node, _, dropped in said if node in well), default=0)
    for node, saturation, dropped in said:
        if dropped >= BACKLOG_DROPS and dropped > _NOTICED * unnoticed:
            found[node] = f"{dropped:,} packets dropped in the last {saturation.span:.0f} s"
    return found


def not_read_now(
    who: Population, network: Network | None, nodes: Iterable[str], heard: Collection[str]
) -> dict[str, str]:
    """Return those of the nodes, whose kernel said before that it has no room, of which nobody could now read an agent
    in that network (None: in any), though others `heard` the node, each with that in words. A kernel that drops new
    connections drops those of who reads, too."""
    there = {node: {name for name in who.expected if who.members[name].node == node} for node in nodes}
    return {
        node: "its agents say no more, because they cannot be read now"
        for node, names in there.items()
        if not any(name in who.read and network in (None, who.members[name].network) for name in names)
        and not names.isdisjoint(heard)
    }


def _by_node(who: Population, network: Network | None) -> list[tuple[str, Saturation]]:
    """Return what the agents say that were read, in that network (None: in any)."""
    return [
        (snapshot.member.node, snapshot.saturation)
        for name, snapshot in sorted(who.read.items())
        if snapshot.saturation is not None and name in who.expected and network in (None, snapshot.member.network)
    ]
