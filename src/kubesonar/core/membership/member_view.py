"""The members of one network at one revision, as election and suspicion look at them. Made once for each roster: its
making costs O(n log n), and what it answers does not grow with the number of members."""

from __future__ import annotations

import re
from enum import StrEnum

from kubesonar.core.hash_ring import Ring
from kubesonar.model import Member, Network, Roster, State


class Rank(StrEnum):
    """What makes one id rank before another. NATURAL: numbers within names count as numbers, so node-10 ranks before
    node-9; BYTES: plain order of the UTF-8 bytes. The highest ranks first."""

    NATURAL = "natural"
    BYTES = "bytes"


_STANDS = frozenset({State.SERVING, State.CORDONED})


class MemberView:
    """`members` by name, and `ranked` the names of those that stand for election, first in rank first. Whoever the
    roster calls deleted is not part of it; one that is not serving is, for the majority, but does not stand."""

    __slots__ = ("_place", "_ring", "members", "ranked", "revision", "serving", "zones")

    def __init__(self, roster: Roster, network: Network, order: Rank = Rank.NATURAL) -> None:
        here = [m for m in roster.members if m.network is network and m.state is not State.DELETED]
        self.revision = roster.revision
        self.members: dict[str, Member] = {member.name: member for member in here}
        key = _natural if order is Rank.NATURAL else _bytes
        standing = (member.name for member in here if member.state in _STANDS)
        self.ranked: tuple[str, ...] = tuple(sorted(standing, key=key, reverse=True))
        self._place = {name: place for place, name in enumerate(self.ranked)}
        self.serving = sum(member.expected for member in here)
        self.zones = frozenset(member.zone for member in here)
        self._ring = Ring(here)

    def __len__(self) -> int:
        return len(self.members)

    @property
    def majority(self) -> int:
        """How many members are more than half."""
        return len(self.members) // 2 + 1

    def watched(self, name: str, count: int) -> list[str]:
        """Whom the member `name` watches: those that follow it on the ring, of different zones where there are."""
        return [member.name for member in self._ring.neighbours(self.members[name], count)]

    def beyond(self, name: str, count: int) -> list[Member]:
        """Members on other nodes than `name`'s that may bear witness about it, its own zone and others' mixed."""
        return self._ring.neighbours(self.members[name], count)

    def before(self, name: str) -> tuple[str, ...]:
        """Those standing that rank before `name`; all of them where it does not stand itself."""
        return self.ranked[: self.place(name)]

    def place(self, name: str) -> int:
        """The rank of `name`, 0 for the first; those that do not stand share the last one."""
        return self._place.get(name, len(self.ranked))

    def stands(self, name: str) -> bool:
        """Whether `name` may be elected."""
        return name in self._place

    def outranks(self, one: str, other: str) -> bool:
        """Whether `one` ranks before `other`; who does not stand ranks last."""
        return self.place(one) < self.place(other)


def _natural(name: str) -> tuple[tuple[int, int, str], ...]:
    parts = (part for part in re.split(r"(\d{1,18})", name) if part)
    return tuple((1, int(part), part) if part.isdecimal() else (0, 0, part) for part in parts)


def _bytes(name: str) -> bytes:
    return name.encode()
