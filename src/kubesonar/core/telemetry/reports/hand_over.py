"""The wire format in which a coordinator hands its notices to a collector, so that one event is told once."""

from __future__ import annotations

import re

import msgspec

from kubesonar.core.decoding import Undecodable, decode_document, decode_json
from kubesonar.model import Member, Notice

HAND_OVER_SCHEMA = 1
"""Version of the messages; raised when a reader of the version before could misread one."""

HAND_OVER_PATH = "/api/v1/hand-over"
"""The path at which a collector takes notices, by POST."""

_LARGEST = 64 << 10
"""Largest message (bytes). Larger, and one agent fills the outbox; smaller, and a notice with much evidence is
refused."""

_LONGEST = 300


class HandOver(msgspec.Struct, frozen=True):
    """A notice of the coordinator `member`, and whether it was `told` to receivers already, while no collector
    answered."""

    schema: int
    member: Member
    notice: Notice
    told: bool = False


class HandedOver(msgspec.Struct, frozen=True):
    """Whether the collector tells receivers of it, or has told them of the same event; else it has no receivers."""

    schema: int
    taken: bool


def decode_hand_over(body: bytes) -> HandOver | str:
    """Return the message in `body`, or the reason why there is none."""
    if len(body) > _LARGEST:
        return f"expected a notice of at most {_LARGEST} bytes"
    found = decode_document(body, HandOver, HAND_OVER_SCHEMA, "notice")
    if isinstance(found, str):
        return found
    notice = found.notice
    if not re.fullmatch(r"[A-Za-z0-9]{1,64}", notice.id) or max(map(len, (notice.subject, notice.node))) > _LONGEST:
        return "notice: expected an id of at most 64 letters and digits, and short names"
    return found


def decode_handed_over(body: bytes) -> bool | None:
    """Return whether the collector has taken the notice, None for what is no answer."""
    try:
        return decode_json(body, HandedOver).taken
    except Undecodable:
        return None
