"""What members say to each other: frozen values that fit one signed datagram. Bytes in, frozen values out; never raises
on input.

A message is a MessagePack array, its kind first. Fields are only ever appended, so that a version before ignores what
it does not know and a version after fills in the default; a kind not known here decodes to `Other`. Who speaks, in
which epoch, and that it was not said before, is the datagram's business (`wire/codec.py`): messages carry neither names
nor keys of their sender.
"""

from __future__ import annotations

from typing import Annotated, TypeAlias

import msgspec

from kubesonar.core.wire import codec
from kubesonar.model import Condition, Open

ROOM = codec.MAX_MESSAGE
"""Bytes that a message may have."""

WITNESSES = 3
"""Most witnesses that a claim names."""

MemberName = Annotated[str, msgspec.Meta(min_length=1, max_length=253)]
Counted = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Lasting = Annotated[float, msgspec.Meta(ge=0, le=86_400)]


class Reachability(Open):
    """What a look at a member showed. AGENT: the agent itself answered; KERNEL: only its host did (a handshake, ICMP);
    REFUSED: its host refused the agent's port; SILENT: nothing answered; UNABLE: the looker could not tell."""

    AGENT = "agent"
    KERNEL = "kernel"
    REFUSED = "refused"
    SILENT = "silent"
    UNABLE = "unable"
    OTHER = "other"


class Ping(msgspec.Struct, frozen=True, array_like=True, tag=1, gc=False):
    """Are you there? `doubt` tells a suspected member so: SUSPECT while others are asked, then what is held of it in
    its incarnation `turn`; BACK means no doubt."""

    number: Counted
    doubt: Condition = Condition.BACK
    turn: Counted = 0


class Ack(msgspec.Struct, frozen=True, array_like=True, tag=2, gc=False):
    """I am, in this incarnation; the answer to a Ping, and what refutes a suspicion."""

    number: Counted
    turn: Counted = 0


class PingReq(msgspec.Struct, frozen=True, array_like=True, tag=3, gc=False):
    """`target` does not answer me: does it answer you? (SWIM's ping-req.)"""

    number: Counted
    target: MemberName


class PingReqReply(msgspec.Struct, frozen=True, array_like=True, tag=4, gc=False):
    """The answer to an Ask: what I see of `target`, which answered me in `epoch` and incarnation `turn` (0: it did
    not), and what my word weighs (1: I am well; less: I am starved myself)."""

    number: Counted
    target: MemberName
    sight: Reachability
    weight: Annotated[float, msgspec.Meta(ge=0, le=1)] = 1.0
    epoch: Counted = 0
    turn: Counted = 0


class Seen(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one member saw of another."""

    name: MemberName
    sight: Reachability


class StatusClaim(msgspec.Struct, frozen=True, array_like=True, tag=5, gc=False):
    """To the coordinator: `member`, of this epoch and incarnation, is now `what` (dead, gone, frozen, or back), silent
    for so many seconds, and these saw it. `told`: an earlier coordinator said that the world knows. `ends`: what the
    member was announced as, where it is back from that."""

    member: MemberName
    epoch: Counted
    turn: Counted
    what: Condition
    silent: Lasting = 0.0
    told: bool = False
    witnesses: Annotated[tuple[Seen, ...], msgspec.Meta(max_length=WITNESSES)] = ()
    ends: Condition = Condition.BACK


class StatusClaimAck(msgspec.Struct, frozen=True, array_like=True, tag=6, gc=False):
    """The coordinator's receipt for a claim that it has announced, and again with `told` once the world has been
    told."""

    member: MemberName
    epoch: Counted
    turn: Counted
    what: Condition
    told: bool = False


class Leave(msgspec.Struct, frozen=True, array_like=True, tag=7, gc=False):
    """To the coordinator: I am about to stop, on purpose; my silence is no death."""


class StartElection(msgspec.Struct, frozen=True, array_like=True, tag=8, gc=False):
    """To those that rank before me: I hear no coordinator. Do you, or will you be it?"""

    number: Counted


class Alive(msgspec.Struct, frozen=True, array_like=True, tag=9, gc=False):
    """The answer to a Call, and to the beacon of a coordinator that is not mine: I am here. I last heard the
    coordinator (empty: none) `age` seconds ago, and it heard so many. `stands`: I may be elected myself."""

    number: Counted
    coordinator: Annotated[str, msgspec.Meta(max_length=253)] = ""
    epoch: Counted = 0
    age: Lasting = 0.0
    heard: Counted = 0
    stands: bool = True


class Heartbeat(msgspec.Struct, frozen=True, array_like=True, tag=10, gc=False):
    """I am the coordinator. The next beacon comes within `interval` seconds; in the last one I heard `heard` of `of`
    members, myself included; `announces`: that is a majority."""

    number: Counted
    interval: Annotated[float, msgspec.Meta(gt=0, le=60)]
    heard: Counted = 0
    of: Counted = 0
    announces: bool = False


class HeartbeatAck(msgspec.Struct, frozen=True, array_like=True, tag=11, gc=False):
    """The answer to my coordinator's beacon: I follow you, and until one and a half intervals have passed nobody
    else."""

    number: Counted
    turn: Counted = 0


class StepDown(msgspec.Struct, frozen=True, array_like=True, tag=12, gc=False):
    """From a coordinator: I am it no longer; `successor` (empty: whoever is elected) should be. `leaves`: I am about to
    stop, on purpose, as in Leave."""

    number: Counted
    successor: Annotated[str, msgspec.Meta(max_length=253)] = ""
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
_decoder: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)
_bare: msgspec.msgpack.Decoder[list[msgspec.Raw]] = msgspec.msgpack.Decoder(list[msgspec.Raw])
_kind: msgspec.msgpack.Decoder[int] = msgspec.msgpack.Decoder(int)


def encode_message(message: Message) -> bytes:
    """`message` in at most `ROOM` bytes. A claim whose witnesses' names are too long for that goes without them."""
    data = _encoder.encode(message)
    if len(data) > ROOM and isinstance(message, StatusClaim):
        data = _encoder.encode(msgspec.structs.replace(message, witnesses=()))
    assert len(data) <= ROOM, "names have at most 253 characters"
    return data


def decode_message(data: bytes | memoryview) -> Message | Other | None:
    """What `data` says; `Other` for a kind not known here, None for what is no message."""
    if len(data) > ROOM:
        return None
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, RecursionError):
        return _unknown(data)


def _unknown(data: bytes | memoryview) -> Other | None:
    try:
        kind = _kind.decode(_bare.decode(data)[0])
    except (msgspec.DecodeError, RecursionError, IndexError):
        return None
    return None if kind in _KINDS else Other(kind)
