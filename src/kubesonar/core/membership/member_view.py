"""The members at one roster revision, as the machines of membership look at them. A view is made once for each roster
in O(n log n); what it answers does not grow with the number of members.

Members of both networks elect one coordinator, where the networks reach each other. Within one network members are
ranked, watch each other and form a majority: `MemberView.within` is the part of a view that has one network.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from functools import cached_property

from msgspec.structs import replace

from kubesonar.core.hash_ring import Ring
from kubesonar.model import Member, Network, State


class Rank(StrEnum):
    """The order in which members are called in an election, the highest first. NATURAL: numbers within names count as
    numbers, so node-10 ranks before node-9. BYTES: plain order of the UTF-8 bytes."""

    NATURAL = "natural"
    BYTES = "bytes"


_ELIGIBLE = frozenset({State.SERVING, State.CORDONED, State.NOT_READY})
"""NOT_READY too: where no kubelet reaches the API server, there must be a coordinator all the same."""

_ABSENT = frozenset({State.DELETED, State.UNSUPPORTED})


class MemberView:
    """`members` by id, which is any text that all members agree on (`by_identity`); `ranked` the ids of those that may
    be elected, the highest rank first; `serving` the number of those expected to answer. A member that is not serving
    counts for the majority, but may not be elected."""

    def __init__(self, members: Mapping[str, Member], order: Rank = Rank.NATURAL) -> None:
        self.members = members
        self._order = order

    @cached_property
    def ranked(self) -> tuple[str, ...]:
        key = _natural if self._order is Rank.NATURAL else _bytes
        eligible = (id for id, member in self.members.items() if member.state in _ELIGIBLE)
        return tuple(sorted(eligible, key=key, reverse=True))

    @cached_property
    def serving(self) -> int:
        return sum(member.expected for member in self.members.values())

    @cached_property
    def zones(self) -> frozenset[str]:
        return frozenset(member.zone for member in self.members.values())

    @cached_property
    def networks(self) -> Mapping[Network, MemberView]:
        """The part of the view that each network has."""
        parts: dict[Network, dict[str, Member]] = {}
        for id, member in self.members.items():
            parts.setdefault(member.network, {})[id] = member
        if len(parts) == 1:
            return dict.fromkeys(parts, self)
        return {network: MemberView(members, self._order) for network, members in parts.items()}

    @cached_property
    def nodes(self) -> Mapping[str, tuple[str, ...]]:
        """The ids of the members on each node that is known."""
        found: dict[str, list[str]] = {}
        for id, member in self.members.items():
            if member.node:
                found.setdefault(member.node, []).append(id)
        return {node: tuple(sorted(ids)) for node, ids in found.items()}

    def within(self, id: str) -> MemberView:
        """The part of the view that has the network of this member; an empty one where the member is not there."""
        member = self.members.get(id)
        return self.networks[member.network] if member is not None else NO_MEMBERS

    def near(self, one: str, other: str) -> bool:
        """Whether both are members of one network."""
        members = self.members
        return one in members and other in members and members[one].network is members[other].network

    @cached_property
    def _place(self) -> dict[str, int]:
        return {id: place for place, id in enumerate(self.ranked)}

    @cached_property
    def _ring(self) -> Ring:
        return Ring(self.members.values())

    @cached_property
    def _ids(self) -> dict[str, str]:
        return {member.name: id for id, member in self.members.items()}

    def __len__(self) -> int:
        return len(self.members)

    @property
    def majority(self) -> int:
        """The least number of members that is more than half."""
        return len(self.members) // 2 + 1

    def neighbours(self, id: str, count: int) -> list[str]:
        """At most `count` members of its network on other nodes that follow this one on the hash ring, of its own zone
        and others."""
        part = self.within(id)
        if part is not self:
            return part.neighbours(id, count)
        return [self._ids[member.name] for member in self._ring.neighbours(self.members[id], count)]

    def place(self, id: str) -> int:
        """The rank of a member, 0 for the highest; those that may not be elected share the last one."""
        return self._place.get(id, len(self.ranked))

    def eligible(self, id: str) -> bool:
        """Whether a member may be elected."""
        return id in self._place

    def renamed(self, id: str, before: MemberView) -> bool:
        """Whether this member has another name than in the view before: it is a successor, as a new pod on a node."""
        old = before.members.get(id)
        return old is not None and old.name != self.members[id].name

    def outranks(self, one: str, other: str) -> bool:
        """Whether `one` ranks before `other`; a member that may not be elected ranks last."""
        return self.place(one) < self.place(other)


def present_members(members: Iterable[Member]) -> Iterator[Member]:
    """Yield the members that are there: neither deleted nor on a node that can run no agent."""
    return (member for member in members if member.state not in _ABSENT)


def without_departed(members: Iterable[Member], departed: Mapping[str, float]) -> tuple[Member, ...]:
    """Return the members, those that took their leave (by identity, with when: Unix seconds) in the state LEAVING since
    then. Who says so is held against those that saw the member begin anew, so that the date is that of the goodbye."""
    return tuple(
        replace(member, state=State.LEAVING, reason="it took its leave", since=departed[member.identity])
        if member.expected and member.identity in departed
        else member
        for member in members
    )


def by_identity(members: Iterable[Member]) -> dict[str, Member]:
    """The present members by identity. Of several with one identity, as a pod and its successor on the same node, the
    one that serves counts."""
    return {member.identity: member for member in sorted(present_members(members), key=lambda member: member.expected)}


def identity_parts(identity: str) -> tuple[str, str]:
    """Return the node and the network in a member's identity, two empty texts where it is none."""
    node, _, network = identity.rpartition("/")[0].rpartition("/")
    return node, network


def _natural(name: str) -> tuple[tuple[int, int, str], ...]:
    parts = (part for part in re.split(r"(\d{1,18})", name) if part)
    return tuple((1, int(part), part) if part.isdecimal() else (0, 0, part) for part in parts)


def _bytes(name: str) -> bytes:
    return name.encode()


NO_MEMBERS = MemberView({})
"""The view of a machine that has not seen a roster yet."""
