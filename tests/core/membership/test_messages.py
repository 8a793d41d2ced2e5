from __future__ import annotations

from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubesonar.core.membership.messages import (
    ROOM,
    Ack,
    Alive,
    Heartbeat,
    HeartbeatAck,
    Leave,
    Message,
    Other,
    Ping,
    PingReq,
    PingReqReply,
    Reachability,
    Seen,
    StartElection,
    StatusClaim,
    StatusClaimAck,
    StepDown,
    decode_message,
    encode_message,
)
from kubesonar.model import Condition

LONGEST = "n" * 253
MOST = 2**63 - 1
ALL: list[Message] = [
    Ping(MOST, Condition.FROZEN, MOST),
    Ack(MOST, MOST),
    PingReq(MOST, LONGEST),
    PingReqReply(MOST, LONGEST, Reachability.REFUSED, 0.125, MOST, MOST),
    StatusClaim(
        LONGEST, MOST, MOST, Condition.DEAD, 1.5, True, (Seen(LONGEST, Reachability.SILENT),) * 3, Condition.GONE
    ),
    StatusClaimAck(LONGEST, MOST, MOST, Condition.FROZEN, True),
    Leave(),
    StartElection(MOST),
    Alive(MOST, LONGEST, MOST, 0.5, MOST, False),
    Heartbeat(MOST, 1.5, MOST, MOST, True),
    HeartbeatAck(MOST, MOST),
    StepDown(MOST, LONGEST, True),
]


def test_every_kind_is_here() -> None:
    assert {type(message) for message in ALL} == set(get_args(Message))


@pytest.mark.parametrize("message", ALL, ids=lambda message: type(message).__name__)
def test_what_is_said_is_understood_and_fits_one_datagram(message: Message) -> None:
    data = encode_message(message)
    assert len(data) <= ROOM
    assert decode_message(data) == message


def test_a_claim_that_names_too_much_goes_without_its_witnesses() -> None:
    long = "ü" * 253
    claim = StatusClaim(long, 1, 0, Condition.DEAD, witnesses=(Seen(long, Reachability.SILENT),) * 3)
    assert len(encode_message(claim)) <= ROOM
    assert decode_message(encode_message(claim)) == msgspec.structs.replace(claim, witnesses=())


def test_a_kind_of_a_later_version_is_other_and_its_fields_are_ignored() -> None:
    assert decode_message(msgspec.msgpack.encode([99, "what", {"ever": 1}])) == Other(99)


def test_fields_of_a_later_version_are_ignored_and_those_of_an_earlier_one_filled_in() -> None:
    assert decode_message(msgspec.msgpack.encode([2, 7, 1, "more", 3])) == Ack(7, 1)
    assert decode_message(msgspec.msgpack.encode([2, 7])) == Ack(7, 0)
    assert decode_message(msgspec.msgpack.encode([1, 7, "asleep", 0])) == Ping(7, Condition.OTHER, 0)


@pytest.mark.parametrize(
    "fields",
    [
        [1],
        [1, -1],
        [1, "one"],
        [3, 1, ""],
        [3, 1, "n" * 401],
        [4, 1, "n", "silent", 1.5],
        [4, 1, "n", "silent", float("nan")],
        [5, "n", 1, 1, "dead", -1.0],
        [5, "n", 1, 1, "dead", 1.0, False, [["a", "silent"]] * 4],
        [10, 1, 0.0],
        [10, 1, 61.0],
        ["1", 1],
        [],
        {"1": 1},
        7,
    ],
    ids=str,
)
def test_what_is_out_of_bounds_is_no_message(fields: object) -> None:
    assert decode_message(msgspec.msgpack.encode(fields)) is None


@given(st.binary(max_size=ROOM + 64))
def test_no_bytes_raise(data: bytes) -> None:
    decode_message(data)


def test_more_than_a_datagram_holds_is_no_message() -> None:
    assert decode_message(encode_message(Leave()) + b"\0" * ROOM) is None
    assert decode_message(b"\x91" * ROOM) is None
