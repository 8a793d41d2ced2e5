"""One name for each member in the snapshots of all: rosters from Kubernetes call a member by its pod, those from DNS by
its address (docs/decisions/0009-identity.md)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from kubesonar.model import Edge, Member, Snapshot


def relabelled(snapshots: Sequence[Snapshot]) -> list[Snapshot]:
    """Return the snapshots with members that go by an address under the name, node and zone by which others know them.
    Where nobody knows a name, an agent's own snapshot still says on which node it is. A list of members that snapshots
    share is looked at once: of a thousand agents nearly all do."""
    known: dict[str, Member] = {}
    for member in sorted(_members(snapshots), key=_knowledge):
        known.update(dict.fromkeys(member.aliases, member))
    lists = {id(snapshot.roster.members): snapshot.roster.members for snapshot in snapshots}
    labelled = {key: tuple(_label(member, known) for member in members) for key, members in lists.items()}
    changed = {key for key, members in lists.items() if labelled[key] != members}
    found = []
    for snapshot in snapshots:
        key, me = id(snapshot.roster.members), _label(snapshot.member, known)
        alike = key not in changed and me == snapshot.member
        found.append(snapshot if alike else _relabelled(snapshot, me, labelled[key]))
    return found


def _members(snapshots: Sequence[Snapshot]) -> Iterable[Member]:
    """Yield all members, a shared list once: where it comes last, as of two entries that tell as much the later
    counts."""
    last = {id(snapshot.roster.members): place for place, snapshot in enumerate(snapshots)}
    for place, snapshot in enumerate(snapshots):
        if last[id(snapshot.roster.members)] == place:
            yield from snapshot.roster.members
        yield snapshot.member


def _knowledge(member: Member) -> int:
    """Return how much an entry tells: most by a name that is no address, then by a node that is none."""
    return 2 * (member.name not in member.addresses) + (member.node not in member.addresses)


_ALL = 3


def _label(member: Member, known: dict[str, Member]) -> Member:
    if member.addresses and _knowledge(member) == _ALL:
        return member
    keys = member.aliases or (member.identity,)  # of one that has left, only the node still says the address
    better = next((known[key] for key in keys if key in known), member)
    return replace(member, name=better.name, node=better.node, zone=better.zone)


def _relabelled(snapshot: Snapshot, me: Member, members: tuple[Member, ...]) -> Snapshot:
    names = {old.name: new.name for old, new in zip(snapshot.roster.members, members, strict=True)}
    names[snapshot.member.name] = me.name
    return replace(
        snapshot,
        member=me,
        roster=replace(snapshot.roster, members=members),
        edges=tuple(_edge(edge, names) for edge in snapshot.edges),
        coordinator=names.get(snapshot.coordinator, snapshot.coordinator),
    )


def _edge(edge: Edge, names: dict[str, str]) -> Edge:
    latest = edge.latest
    target, source = names.get(latest.check.target), names.get(latest.source)
    if target == latest.check.target and source == latest.source:
        return edge
    check = replace(latest.check, target=target or latest.check.target)
    return replace(edge, latest=replace(latest, check=check, source=source or latest.source))
