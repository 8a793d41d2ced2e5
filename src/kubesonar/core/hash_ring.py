"""Chooses the k others that a member probes, so that cost grows with n·k instead of n².

Nodes stand on a ring in the order of a hash of their names. A member takes k of the next 2k nodes clockwise: first the
nearest of each zone, then the nearest that are left. So each member is probed by about k others and never by more than
2k, whatever the zones, and a member that comes or goes changes the choice of at most 2k others.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from hashlib import sha256

from kubesonar.model import Member, Network


def place(name: str) -> int:
    """Return a name's place on the ring: the first 8 bytes of its SHA-256, big-endian."""
    return int.from_bytes(sha256(name.encode()).digest()[:8], "big")


class Ring:
    """The ring of the members of one network."""

    def __init__(self, members: Iterable[Member]) -> None:
        self._ring = sorted(members, key=lambda member: (place(member.node), member.name))
        self._places = [(place(member.node), member.name) for member in self._ring]

    def neighbours(self, member: Member, k: int) -> list[Member]:
        """Return at most `k` members on other nodes, nearest first; all of them where there are no more than k."""
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
    """Return the members that live in `network`. Members probe their own network only: that tells a sick node from a
    sick pod network."""
    return [member for member in members if member.network is network]
