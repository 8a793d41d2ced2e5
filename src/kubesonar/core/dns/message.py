"""Encodes and decodes whole messages: questions and replies, for a prober and for a small server."""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import TYPE_CHECKING

import msgspec

from kubesonar.core.dns.names import BadWire, Reader, encode_name
from kubesonar.core.dns.records import IN, Record, RecordType, decode_record, encode_record

if TYPE_CHECKING:
    from collections.abc import Iterable

EDNS_PAYLOAD = 1232
"""Bytes of UDP payload that questions offer: what passes every link with the smallest MTU of IPv6 in one piece (DNS
flag day 2020). More, and answers may be fragmented and lost; less, and more of them are truncated."""

LARGE_PAYLOAD = 4096
"""Bytes of UDP payload that a question for a large answer offers: less, and the answer comes truncated and no fragment
is tried; more than servers' usual limit changes nothing."""

PLAIN_PAYLOAD = 512
"""Largest answer by UDP where nothing was offered, in bytes (RFC 1035, section 4.2.1)."""

_HEADER = struct.Struct(">HHHHHH")
_TAIL = struct.Struct(">HH")
_OPT = struct.Struct(">BHHIH")
_RESPONSE, _AUTHORITATIVE, _TRUNCATED, _RECURSION = 0x8000, 0x0400, 0x0200, 0x0100


class Rcode(IntEnum):
    """The code by which a server answered (RFC 1035, section 4.1.1; RFC 2136; RFC 6891); others are plain numbers."""

    NOERROR = 0
    FORMERR = 1
    SERVFAIL = 2
    NXDOMAIN = 3
    NOTIMP = 4
    REFUSED = 5
    YXDOMAIN = 6
    YXRRSET = 7
    NXRRSET = 8
    NOTAUTH = 9
    NOTZONE = 10
    BADVERS = 16


class Question(msgspec.Struct, frozen=True):
    """A question. `payload` is the size of UDP answers that it offers by EDNS0, in bytes (0: no EDNS0)."""

    name: str
    type: int
    id: int
    recursion: bool = True
    payload: int = EDNS_PAYLOAD


class DnsMessage(msgspec.Struct, frozen=True):
    """A decoded message. `asked` are (name, type, class), `rcode` includes EDNS0's upper bits, `payload` is what the
    sender offers for UDP in bytes (0: no EDNS0). Additional records, OPT (RFC 6891) among them, are left out."""

    id: int
    response: bool
    opcode: int
    truncated: bool
    recursion: bool
    rcode: int
    asked: tuple[tuple[str, int, int], ...]
    answers: tuple[Record, ...] = ()
    authority: tuple[Record, ...] = ()
    payload: int = 0


class Malformed(msgspec.Struct, frozen=True):
    """The reason why some bytes are no DNS message."""

    reason: str


def encode_question(question: Question) -> bytes:
    """Return `question` on the wire. Raises ValueError where its name is no domain name."""
    flags = _RECURSION if question.recursion else 0
    header = _HEADER.pack(question.id, flags, 1, 0, 0, 1 if question.payload else 0)
    return header + encode_name(question.name) + _TAIL.pack(question.type, IN) + _opt(question.payload)


def _opt(payload: int, rcode: int = 0) -> bytes:
    """Return the pseudo-record of EDNS0, version 0 (RFC 6891, section 6.1.2)."""
    return _OPT.pack(0, RecordType.OPT, payload, (rcode >> 4) << 24, 0) if payload else b""


def decode_reply(wire: bytes) -> DnsMessage | Malformed:
    """Return the message in `wire`, or why it is none; no bytes make it raise. What a truncated message holds behind
    its question is left out (RFC 2181, section 9), and bytes behind the last record are ignored."""
    if len(wire) < _HEADER.size:
        return Malformed(f"{len(wire)} bytes are less than a header")
    try:
        return _decode(wire)
    except BadWire as error:
        return Malformed(str(error))


def _decode(wire: bytes) -> DnsMessage:
    id_, flags, questions, *counts = _HEADER.unpack_from(wire)
    reader, at = Reader(wire), _HEADER.size
    asked = []
    for _ in range(questions):
        entry, at = _decode_asked(reader, at)
        asked.append(entry)
    sections: list[tuple[Record, ...]] = [(), (), ()]
    if not flags & _TRUNCATED:
        for index, count in enumerate(counts):
            sections[index], at = _decode_section(reader, at, count)
    answers, authority, additional = sections
    opt = next((record for record in additional if record.type == RecordType.OPT), None)
    return DnsMessage(
        id=id_,
        response=bool(flags & _RESPONSE),
        opcode=flags >> 11 & 0xF,
        truncated=bool(flags & _TRUNCATED),
        recursion=bool(flags & _RECURSION),
        rcode=flags & 0xF | (opt.ttl >> 24 << 4 if opt else 0),
        asked=tuple(asked),
        answers=answers,
        authority=authority,
        payload=opt.klass if opt else 0,
    )


def _decode_asked(reader: Reader, at: int) -> tuple[tuple[str, int, int], int]:
    name, at = reader.name(at)
    if at + _TAIL.size > len(reader.wire):
        raise BadWire("a question runs past the end")
    type_, klass = _TAIL.unpack_from(reader.wire, at)
    return (name, type_, klass), at + _TAIL.size


def _decode_section(reader: Reader, at: int, count: int) -> tuple[tuple[Record, ...], int]:
    records = []
    for _ in range(count):
        record, at = decode_record(reader, at)
        records.append(record)
    return tuple(records), at


def question_of(message: DnsMessage) -> Question | None:
    """Return the one question in a message to a server, None where it is none that a small server answers."""
    if message.response or message.opcode or len(message.asked) != 1 or message.asked[0][2] != IN:
        return None
    name, type_, _ = message.asked[0]
    return Question(name, type_, message.id, message.recursion, message.payload)


def encode_answer(
    question: Question,
    rcode: int,
    answers: Iterable[Record] = (),
    authority: Iterable[Record] = (),
    *,
    limit: int = 65535,
) -> bytes:
    """Return an authoritative answer to `question`. One that is longer than `limit` bytes is sent truncated, with the
    question alone (RFC 2181, section 9). Raises ValueError for names or data that cannot be encoded."""
    first, second = [*map(encode_record, answers)], [*map(encode_record, authority)]
    opt = _opt(EDNS_PAYLOAD if question.payload else 0, rcode)
    flags = _RESPONSE | _AUTHORITATIVE | (_RECURSION if question.recursion else 0) | rcode & 0xF
    asked = encode_name(question.name) + _TAIL.pack(question.type, IN)
    body = b"".join((asked, *first, *second, opt))
    if _HEADER.size + len(body) > limit:
        return _HEADER.pack(question.id, flags | _TRUNCATED, 1, 0, 0, bool(opt)) + asked + opt
    return _HEADER.pack(question.id, flags, 1, len(first), len(second), bool(opt)) + body
