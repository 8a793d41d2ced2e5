"""The messages between members, each small enough for one signed datagram: bytes in, frozen values out. Decoding never
raises.

A message is a MessagePack array, its kind first. Fields are only ever appended, so that a version before ignores what
it does not know and a version after fills in the default; a kind that this version does not know decodes to `Other`.
The datagram (`wire/codec.py`) says who sent it, in which epoch, and that it is new, so messages carry neither the name
nor a key of their sender. How they refer to other members differs between wire versions
(`messaging/references.py`).
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

from kubesonar.core.decoding import MsgpackDecoder, Undecodable
from kubesonar.core.wire import codec
from kubesonar.model import Condition, Open

ROOM = codec.MAX_MESSAGE
"""Most bytes of a message: the room that its datagram leaves."""

WITNESSES = 3
"""Most witnesses that a claim names: with longer names than usual, more would not fit into a datagram."""

MemberRef = Annotated[str, msgspec.Meta(min_length=1, max_length=400)]
"""A reference to a member: its identity (at most 270 characters), and on the wire its alias too (at most 60)."""
Counted = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Lasting = Annotated[float, msgspec.Meta(ge=0, le=86_400)]


class Reachability(Open):
    """Result of probing a member. AGENT: the agent itself answered. KERNEL: only its host did (a handshake, ICMP).
    REFUSED: its host refused the agent's port. STRANGER: another member answered at its address. SILENT: nothing
    answered. UNABLE: the prober cannot tell."""

    AGENT = "agent"
    KERNEL = "kernel"
    REFUSED = "refused"
    STRANGER = "stranger"
    SILENT = "silent"
    UNABLE = "unable"
    OTHER = "other"


class Ping(msgspec.Struct, frozen=True, array_like=True, tag=1, gc=False):
    """SWIM's ping. `doubt` tells a suspected member so: SUSPECT while others are asked, then the condition held of its
    `incarnation`; BACK means no doubt."""

    number: Counted
    doubt: Condition = Condition.BACK
    incarnation: Counted = 0


class Ack(msgspec.Struct, frozen=True, array_like=True, tag=2, gc=False):
    """The answer to a `Ping`, in the sender's `incarnation`. It refutes a suspicion of an earlier incarnation."""

    number: Counted
    incarnation: Counted = 0


class PingReq(msgspec.Struct, frozen=True, array_like=True, tag=3, gc=False):
    """SWIM's ping-req: the sender got no answer from `target` and asks the receiver to ping it."""

    number: Counted
    target: MemberRef


class PingReqReply(msgspec.Struct, frozen=True, array_like=True, tag=4, gc=False):
    """The answer to a `PingReq`. `epoch` and `incarnation` are those in which `target` answered, 0 where it did not.
    `weight` is 1 where the sender is healthy, less where it is starved."""

    number: Counted
    target: MemberRef
    reachability: Reachability
    weight: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    epoch: Counted = 0
    incarnation: Counted = 0


class Seen(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The result that one member got of another."""

    name: MemberRef
    reachability: Reachability


class StatusClaim(msgspec.Struct, frozen=True, array_like=True, tag=5, gc=False):
    """To the coordinator: `member`, of this epoch and incarnation, is now `what` (dead, gone, frozen, back or left). It
    has been silent for `silent` seconds, as `witnesses` confirm. `told`: an earlier coordinator acknowledged that the
    announcement was delivered. `ends`: the condition that a claim of BACK or LEFT ends. `of_node`: what a coordinator
    announced of the member, this condition or the one that ends, it announced of the whole node."""

    member: MemberRef
    epoch: Counted
    incarnation: Counted
    what: Condition
    silent: Lasting = 0.0
    told: bool = False
    witnesses: Annotated[tuple[Seen, ...], msgspec.Meta(max_length=WITNESSES)] = ()
    ends: Condition = Condition.BACK
    of_node: bool = False


class StatusClaimAck(msgspec.Struct, frozen=True, array_like=True, tag=6, gc=False):
    """To those that made this claim or witnessed it: the coordinator has announced it, `of_node`: of the whole node. It
    comes again with `told` once the announcement is delivered, and when the node is announced back while this member's
    condition goes on."""

    member: MemberRef
    epoch: Counted
    incarnation: Counted
    what: Condition
    told: bool = False
    of_node: bool = False


class Leave(msgspec.Struct, frozen=True, array_like=True, tag=7, gc=False):
    """To all that know the sender: it is about to stop, on purpose, so its silence is no death. `incarnation` is its
    last one."""

    incarnation: Counted = 0


class StartElection(msgspec.Struct, frozen=True, array_like=True, tag=8, gc=False):
    """The bully election's call: the sender hears no coordinator. The answer is `Alive`."""

    number: Counted


class Alive(msgspec.Struct, frozen=True, array_like=True, tag=9, gc=False):
    """The answer to `StartElection`, and to the heartbeat of a coordinator that the sender does not follow. The sender
    heard the coordinator (empty: none) `age` seconds ago, and that one heard so many members of the
    sender's network. `stands`: the sender may be elected itself."""

    number: Counted
    coordinator: Annotated[str, msgspec.Meta(max_length=400)] = ""
    epoch: Counted = 0
    age: Lasting = 0.0
    heard: Counted = 0
    stands: bool = True


class Heartbeat(msgspec.Struct, frozen=True, array_like=True, tag=10, gc=False):
    """The sender is the coordinator; its next heartbeat comes within `interval` seconds. Of the `of` members of the
    receiver's network `heard` follow it, itself included; `announces`: that is a majority. To a member of the other
    network it says besides how many of that network's members it `reaches`, whomever they follow, and how many of its
    own network follow it (`holds`)."""

    number: Counted
    interval: Annotated[float, msgspec.Meta(gt=0, le=60)]
    heard: Counted = 0
    of: Counted = 0
    announces: bool = False
    reaches: Counted = 0
    holds: Counted = 0


class HeartbeatAck(msgspec.Struct, frozen=True, array_like=True, tag=11, gc=False):
    """The answer to a heartbeat: the sender follows this coordinator, and nobody else for one and a half intervals."""

    number: Counted
    incarnation: Counted = 0


class StepDown(msgspec.Struct, frozen=True, array_like=True, tag=12, gc=False):
    """The sender is no longer the coordinator; `successor` (empty: whoever is elected) should be. `leaves`: the sender
    is about to stop, on purpose, as with `Leave`."""

    number: Counted
    successor: Annotated[str, msgspec.Meta(max_length=400)] = ""
    leaves: bool = False


class Other(msgspec.Struct, frozen=True, gc=False):
    """A message of a kind that only a later version knows."""

    kind: int


Message: TypeAlias = (
    Ping
    | Ack
    | PingReq
    | PingReqReply
    | StatusClaim
    | StatusClaimAck
    | Leave
    | StartElection
    | Alive
    | Heartbeat
    | HeartbeatAck
    | StepDown
)

_KINDS = range(1, 13)
_encoder = msgspec.msgpack.Encoder()
_decoder: MsgpackDecoder[Message] = MsgpackDecoder(Message)
_bare = MsgpackDecoder(list[msgspec.Raw])
_kind = MsgpackDecoder(int)


def encode_message(message: Message) -> bytes:
    """`message` in at most `ROOM` bytes. A claim whose witnesses' names are too long for that goes without them."""
    data = _encoder.encode(message)
    if len(data) > ROOM and isinstance(message, StatusClaim):
        data = _encoder.encode(msgspec.structs.replace(message, witnesses=()))
    assert len(data) <= ROOM, "names are bounded"
    return data


def decode_message(data: bytes | memoryview) -> Message | Other | None:
    """The message in `data`; `Other` for a kind that this version does not know, None for anything else."""
    if len(data) > ROOM:
        return None
    try:
        return _decoder.decode(data)
    except Undecodable:
        return _unknown(data)


def _unknown(data: bytes | memoryview) -> Other | None:
    try:
        kind = _kind.decode(_bare.decode(data)[0])
    except (Undecodable, IndexError):
        return None
    return None if kind in _KINDS else Other(kind)
