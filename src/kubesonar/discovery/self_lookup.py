"""Finds an agent's own member in a roster."""

from __future__ import annotations

from collections.abc import Collection

from kubesonar.core.address import packed_address, unicast
from kubesonar.model import Member, Roster
from kubesonar.net.own_addresses import is_own


def recognise(roster: Roster, name: str, addresses: Collection[str], port: int) -> Member | None:
    """Return the member of this `name`, else the one at one of these `addresses` and this `port`.

    A roster from DNS knows addresses only, and in the host network an agent may know no more than the host's name.
    Without addresses the routing table tells which are our own. Returns None for no such member, or for more than one.
    """
    named = roster.named(name)
    if named is not None:
        return named
    mine = {packed_address(address) for address in unicast(addresses)}
    there = [
        member
        for member in roster.members
        if member.port == port and any(packed_address(a) in mine if mine else is_own(a) for a in member.addresses)
    ]
    return there[0] if len(there) == 1 else None
