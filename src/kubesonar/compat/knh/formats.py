"""Bodies of both webhooks for notices of native agents."""

from __future__ import annotations

from collections.abc import Mapping

from kubesonar.compat.knh.election.identity import Peer, peer
from kubesonar.compat.knh.payloads import cluster_status, peer_status
from kubesonar.model import Condition, Member, Network, Notice, Roster

Conditions = Mapping[str, Condition]
"""Conditions of the members that are not well, by name."""

_SILENT = frozenset({Condition.DEAD, Condition.GONE, Condition.FROZEN})
"""Conditions in which a pod does not answer; the older tool did not distinguish them."""


def peer_format(members: Roster, conditions: Conditions, notice: Notice) -> bytes | None:
    """Return what PEER_STATUS_URL is posted about a peer that dies; None for other notices."""
    return _peer(members, notice) if notice.what in _SILENT else None


def return_format(members: Roster, conditions: Conditions, notice: Notice) -> bytes | None:
    """Return the same, and for peers that come back a body with `alive` true."""
    back = notice.what is Condition.BACK and notice.subject != notice.coordinator
    return _peer(members, notice) if back or notice.what in _SILENT else None


def cluster_format(members: Roster, conditions: Conditions, notice: Notice) -> bytes | None:
    """Return what CLUSTER_STATUS_URL is posted after an election: all peers that are expected to answer."""
    own = members.named(notice.coordinator)
    if notice.what is not Condition.CLUSTER or own is None or not own.addresses:
        return None
    others = [m for m in members.members if m.expected and m.addresses and m.name != own.name]
    return cluster_status([(_pod(member), conditions.get(member.name) not in _SILENT) for member in others], _pod(own))


def _peer(members: Roster, notice: Notice) -> bytes | None:
    subject, own = _subject(members, notice), members.named(notice.coordinator)
    if subject is None or own is None or not (subject.addresses and own.addresses):
        return None
    return peer_status(_pod(subject), notice.what not in _SILENT, _pod(own))


def _subject(members: Roster, notice: Notice) -> Member | None:
    """The pod that a notice is about; of a node the one in the pod network, which is the older tool's peer."""
    found = [one for name in notice.members or (notice.subject,) if (one := members.named(name)) is not None]
    return next((one for one in found if one.network is Network.POD), found[0] if found else None)


def _pod(member: Member) -> Peer:
    return peer(member.node, member.addresses[0], member.port)
