"""Chooses the k others that a member watches or probes, so that cost grows with n·k instead of n².

Nodes stand on a ring in the order of a hash of their names. Each member is chosen by about k others and never by more
than 2k, whatever the zones, and a member that comes or goes changes the choice of at most 2k others.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from hashlib import sha256

from kubesonar.model import Member, Network

FAR = 3
"""Most members in other zones of the ten that a member probes. Higher, and more traffic is billed; lower, and
a sick way between two zones is crossed by few."""


def place(name: str) -> int:
    """Return a name's place on the ring: the first 8 bytes of its SHA-256, big-endian."""
    return int.from_bytes(sha256(name.encode()).digest()[:8], "big")


class Ring:
    """The ring of the members of one network."""

    def __init__(self, members: Iterable[Member]) -> None:
        self._ring = sorted(members, key=lambda member: (place(member.node), member.name))
        self._places = [(place(member.node), member.name) for member in self._ring]

    def neighbours(self, member: Member, k: int) -> list[Member]:
        """Return at most `k` members on other nodes, nearest first; all of them where there are no more than k. Of the
        next 2k these are the nearest of each zone, then the nearest that are left."""
        ahead = self._ahead(member, 2 * k)
        if len(ahead) <= k:
            return ahead
        chosen = _each_zone_first(ahead)[:k]
        return [other for other in ahead if other in chosen]

    def mostly_of_zone(self, member: Member, k: int) -> list[Member]:
        """Return as `neighbours`, but at most `FAR` of ten in other zones where the own zone has enough members:
        traffic between zones is billed. Those are of the next k, the nearest of each zone first, so that every ordered
        pair of zones is crossed by many; of the own zone they are the nearest."""
        ahead = self._ahead(member, len(self._ring))
        if len(ahead) <= k:
            return ahead
        own = [other for other in ahead if other.zone == member.zone]
        far = _each_zone_first(other for other in ahead[:k] if other.zone != member.zone)
        far = far[: max(_most_far(k), k - len(own))]
        return [other for other in ahead if other in far or other in own[: k - len(far)]]

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


def _each_zone_first(members: Iterable[Member]) -> list[Member]:
    """Return the first of each zone, then the others."""
    zones: set[str] = set()
    first: list[Member] = []
    rest: list[Member] = []
    for member in members:
        (rest if member.zone in zones else first).append(member)
        zones.add(member.zone)
    return first + rest


def _most_far(k: int) -> int:
    return max(k * FAR // 10, int(k > 1))


def same_network(members: Iterable[Member], network: Network) -> list[Member]:
    """Return the members that live in `network`. Members probe their own network only: that tells a sick node from a
    sick pod network."""
    return [member for member in members if member.network is network]
