"""The members of one network at one roster revision, as the machines of membership look at them. A view is made once
for each roster in O(n log n); what it answers does not grow with the number of members."""

from __future__ import annotations

import re
from enum import StrEnum

from kubesonar.core.hash_ring import Ring
from kubesonar.model import Member, Network, Roster, State


class Rank(StrEnum):
    """The order in which members are called in an election, the highest first. NATURAL: numbers within names count as
    numbers, so node-10 ranks before node-9. BYTES: plain order of the UTF-8 bytes."""

    NATURAL = "natural"
    BYTES = "bytes"


_ELIGIBLE = frozenset({State.SERVING, State.CORDONED})


class MemberView:
    """`members` by name; `ranked` the names of those that may be elected, the highest rank first; `serving` the number
    of those expected to answer. A deleted member is left out; one that is not serving counts for the majority, but may
    not be elected."""

    __slots__ = ("_place", "_ring", "members", "ranked", "serving", "zones")

    def __init__(self, roster: Roster, network: Network, order: Rank = Rank.NATURAL) -> None:
        here = [m for m in roster.members if m.network is network and m.state is not State.DELETED]
        self.members: dict[str, Member] = {member.name: member for member in here}
        key = _natural if order is Rank.NATURAL else _bytes
        eligible = (name for name, member in self.members.items() if member.state in _ELIGIBLE)
        self.ranked: tuple[str, ...] = tuple(sorted(eligible, key=key, reverse=True))
        self._place = {name: place for place, name in enumerate(self.ranked)}
        self.serving = sum(member.expected for member in self.members.values())
        self.zones = frozenset(member.zone for member in self.members.values())
        self._ring = Ring(self.members.values())

    def __len__(self) -> int:
        return len(self.members)

    @property
    def majority(self) -> int:
        """The least number of members that is more than half."""
        return len(self.members) // 2 + 1

    def neighbours(self, name: str, count: int) -> list[str]:
        """At most `count` members on other nodes that follow this one on the hash ring, of its own zone and others."""
        return [member.name for member in self._ring.neighbours(self.members[name], count)]

    def place(self, name: str) -> int:
        """The rank of a member, 0 for the highest; those that may not be elected share the last one."""
        return self._place.get(name, len(self.ranked))

    def eligible(self, name: str) -> bool:
        """Whether a member may be elected."""
        return name in self._place

    def outranks(self, one: str, other: str) -> bool:
        """Whether `one` ranks before `other`; a member that may not be elected ranks last."""
        return self.place(one) < self.place(other)


def _natural(name: str) -> tuple[tuple[int, int, str], ...]:
    parts = (part for part in re.split(r"(\d{1,18})", name) if part)
    return tuple((1, int(part), part) if part.isdecimal() else (0, 0, part) for part in parts)


def _bytes(name: str) -> bytes:
    return name.encode()
