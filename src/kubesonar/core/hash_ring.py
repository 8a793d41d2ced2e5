"""Whom a member probes: k others, so that cost grows with n·k and not n², every member is watched by about k, and few
choices change when members come and go.

Nodes stand on a ring in the order of a hash of their names. A member looks at the next 2k nodes clockwise and takes k
of them: first the nearest of each zone, then the nearest that are left. Looking no further than 2k bounds how many can
ever choose one member to 2k, whatever the zones, and keeps a change of membership local: it touches only those 2k
places back.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from hashlib import sha256

from kubesonar.model import Member, Network


def place(name: str) -> int:
    """A name's place on the ring: the first 8 bytes of its SHA-256, big-endian."""
    return int.from_bytes(sha256(name.encode()).digest()[:8], "big")


class Ring:
    """The ring of one network's members; `neighbours` is called for one member at a time."""

    def __init__(self, members: Iterable[Member]) -> None:
        self._ring = sorted(members, key=lambda member: (place(member.node), member.name))
        self._places = [(place(member.node), member.name) for member in self._ring]

    def neighbours(self, member: Member, k: int) -> list[Member]:
        """At most `k` members on other nodes, nearest first; all of them where there are no more than k."""
        ahead = self._ahead(member, 2 * k)
        if len(ahead) <= k:
            return ahead
        zones: set[str] = set()
        first_of_zone: list[Member] = []
        rest: list[Member] = []
        for other in ahead:
            (rest if other.zone in zones else first_of_zone).append(other)
            zones.add(other.zone)
        chosen = (first_of_zone + rest)[:k]
        return [other for other in ahead if other in chosen]

    def _ahead(self, member: Member, limit: int) -> list[Member]:
        size = len(self._ring)
        start = bisect_right(self._places, (place(member.node), member.name))
        ahead: list[Member] = []
        for step in range(size):
            other = self._ring[(start + step) % size]
            if other.node != member.node:
                ahead.append(other)
                if len(ahead) == limit:
                    break
        return ahead


def same_network(members: Iterable[Member], network: Network) -> list[Member]:
    """The members that live in `network`: pod network probes pod network and host network host network, which is what
    makes a sick node and a sick pod network distinguishable."""
    return [member for member in members if member.network is network]
