"""Translates how messages refer to members, in each wire version.

The machines of membership know members by identity. On the wire a reference is the identity and the alias of a member,
so that a receiver whose roster knows no nodes finds it too; until version 2 it was the member's name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec.structs import replace

from kubesonar.core.membership.messages import (
    Alive,
    Message,
    PingReq,
    PingReqReply,
    Seen,
    StatusClaim,
    StatusClaimAck,
    StepDown,
)
from kubesonar.core.wire.identity import NAMED
from kubesonar.model import Member

_NAMING = frozenset({PingReq, PingReqReply, StatusClaim, StatusClaimAck, Alive, StepDown})
"""The messages that name members."""

_SEPARATOR = "|"
"""Between identity and alias; neither an address nor a port has it, so that the last one in a reference is it."""


class References:
    """The references to the members of a roster, by their identities."""

    def __init__(self, members: Iterable[Member] = ()) -> None:
        self._named: dict[str, str] = {}
        self._referred: dict[str, str] = {}
        self._ids: dict[str, str] = {}
        for member in members:
            id = member.identity
            alias = member.aliases[0] if member.aliases else id
            self._named[id] = member.name
            self._referred[id] = id if alias == id else f"{id}{_SEPARATOR}{alias}"
            self._ids.update(dict.fromkeys((member.name, *member.aliases, id), id))

    def outgoing(self, message: Message, version: int) -> Message:
        """`message` as it is sent in that version."""
        table = self._named if version <= NAMED else self._referred
        return _with_members(message, lambda id: table.get(id, id))

    def incoming(self, message: Message) -> Message:
        """`message` with the identities of this roster; a member that it lacks stays as it is referred to."""
        return _with_members(message, self._resolve)

    def _resolve(self, reference: str) -> str:
        identity, _, alias = reference.rpartition(_SEPARATOR)
        ids = self._ids
        return ids.get(reference) or ids.get(identity) or ids.get(alias) or reference


def _with_members(message: Message, convert: Callable[[str], str]) -> Message:
    """`message` with every member that it names converted."""
    if type(message) not in _NAMING:  # as most
        return message
    match message:
        case PingReq() | PingReqReply():
            return replace(message, target=convert(message.target))
        case StatusClaim():
            witnesses = tuple(Seen(convert(one.name), one.reachability) for one in message.witnesses)
            return replace(message, member=convert(message.member), witnesses=witnesses)
        case StatusClaimAck():
            return replace(message, member=convert(message.member))
        case Alive():
            return replace(message, coordinator=convert(message.coordinator)) if message.coordinator else message
        case StepDown():
            return replace(message, successor=convert(message.successor)) if message.successor else message
    return message
