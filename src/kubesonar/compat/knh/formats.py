"""Both webhooks' bodies for what native agents tell: receivers need not know who tells."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from kubesonar.compat.knh.identity import Peer, peer
from kubesonar.compat.knh.payloads import cluster_status, peer_status
from kubesonar.model import Condition, Member, Notice, Roster
from kubesonar.notify.formats import Format

ClusterView = Callable[[], tuple[Roster, Mapping[str, Condition]]]
"""The members, and the conditions of those that are not well."""

_SILENT = frozenset({Condition.DEAD, Condition.GONE, Condition.FROZEN})
"""Conditions in which a pod does not answer, which is all that the older tool knew."""


def peer_format(view: ClusterView) -> Format:
    """What PEER_STATUS_URL was posted: peers that die."""

    def body(notice: Notice) -> bytes | None:
        return _peer(view, notice) if notice.what in _SILENT else None

    return body


def return_format(view: ClusterView) -> Format:
    """The same, and peers that come back, with `alive` true."""

    def body(notice: Notice) -> bytes | None:
        back = notice.what is Condition.BACK and notice.subject != notice.coordinator
        return _peer(view, notice) if back or notice.what in _SILENT else None

    return body


def cluster_format(view: ClusterView) -> Format:
    """What CLUSTER_STATUS_URL was posted after an election: all peers of which an answer is expected."""

    def body(notice: Notice) -> bytes | None:
        members, conditions = view()
        own = members.named(notice.coordinator)
        if notice.what is not Condition.CLUSTER or own is None or not own.addresses:
            return None
        others = [m for m in members.members if m.expected and m.addresses and m.name != own.name]
        states = [(_pod(member), conditions.get(member.name) not in _SILENT) for member in others]
        return cluster_status(states, _pod(own))

    return body


def _peer(view: ClusterView, notice: Notice) -> bytes | None:
    members, _ = view()
    subject, own = members.named(notice.subject), members.named(notice.coordinator)
    if subject is None or own is None or not (subject.addresses and own.addresses):
        return None
    return peer_status(_pod(subject), notice.what not in _SILENT, _pod(own))


def _pod(member: Member) -> Peer:
    return peer(member.node, member.addresses[0], member.port)
