"""Finds an agent's own member in a roster."""

from __future__ import annotations

from collections.abc import Collection

from msgspec.structs import replace

from kubesonar.core.address import packed_address, unicast
from kubesonar.model import Member, Roster
from kubesonar.net.own_addresses import is_own


def recognise(roster: Roster, me: Member, addresses: Collection[str], *, told: bool = False) -> Member | None:
    """Return the member with the name of `me`, else the one with its identity, else the one at one of these `addresses`
    and its port.

    A roster from DNS knows addresses only, and in the host network an agent may know no more than the host's name.
    Without addresses the routing table tells which are our own. One that was `told` who it is (its name or node is
    configured) is not the member that had its address before: by its address it is found only where the roster knows
    no more of a member, or where an earlier roster had it there. Returns None for no such member, or for more than one.
    """
    named = roster.named(me.name)
    if named is not None:
        return named
    same = [member for member in roster.members if member.identity == me.identity]
    mine = {packed_address(address) for address in unicast(addresses)}
    there = same or [
        member
        for member in roster.members
        if member.port == me.port
        and (not told or member.node in member.addresses or not {*me.addresses}.isdisjoint(member.addresses))
        and any(packed_address(a) in mine if mine else is_own(a) for a in member.addresses)
    ]
    return there[0] if len(there) == 1 else None


def with_self(roster: Roster, me: Member, addresses: Collection[str], *, told: bool = False) -> tuple[Roster, Member]:
    """Return the roster with this member's own entry completed, and that entry; `me` where the roster has none.

    The entry gets the epoch, which only this member knows. In a roster that knows no nodes it also gets the node and
    zone that this member knows of itself; one that was not told its node (which then is its name) goes by its address.
    """
    found = recognise(roster, me, addresses, told=told)
    if found is None:
        return roster, me
    own = replace(found, epoch=me.epoch)
    if found.node in found.addresses and me.node != me.name:
        own = replace(own, node=me.node, zone=me.zone)
    members = tuple(own if member is found else member for member in roster.members)
    return replace(roster, members=members), own
