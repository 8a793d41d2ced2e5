"""Judges a reply to a question, whatever transport carried it."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from kubesonar.core.dns.message import DnsMessage, Malformed, Question, Rcode, decode_reply
from kubesonar.core.dns.names import encode_name
from kubesonar.core.dns.records import IN, RecordType


class Worth(StrEnum):
    """The class of a reply. `ANSWERED` is NOERROR with a record of the asked type at the name or behind its CNAMEs,
    `NODATA` is NOERROR without one (RFC 2308, section 2.2), `RCODE` every other code. A truncated message is an answer:
    the server is there, and would say more by TCP."""

    ANSWERED = "answered"
    NODATA = "nodata"
    RCODE = "rcode"
    TRUNCATED = "truncated"
    WRONG_ID = "wrong_id"
    WRONG_QUESTION = "wrong_question"
    NOT_A_RESPONSE = "not_a_response"
    MALFORMED = "malformed"


class Judgement(msgspec.Struct, frozen=True):
    """A reply's class. `rcode` and `message` are set where it answers the question; `reason` tells a person the
    rest."""

    worth: Worth
    rcode: int | None = None
    message: DnsMessage | None = None
    reason: str = ""


def classify(question: Question, wire: bytes) -> Judgement:
    """Return the judgement of `wire` as a reply to `question`. No bytes make it raise."""
    if len(wire) >= 2 and int.from_bytes(wire[:2], "big") != question.id:
        return Judgement(Worth.WRONG_ID, reason=f"id {int.from_bytes(wire[:2], 'big')} instead of {question.id}")
    message = decode_reply(wire)
    if isinstance(message, Malformed):
        return Judgement(Worth.MALFORMED, reason=message.reason)
    if not message.response or message.opcode:
        return Judgement(Worth.NOT_A_RESPONSE, reason=f"not a response to a query (opcode {message.opcode})")
    if not _same_question(question, message):
        return Judgement(Worth.WRONG_QUESTION, reason=f"answers {_asked(message)} instead of {question.name}")
    if message.truncated:
        return Judgement(Worth.TRUNCATED, message.rcode, message, "truncated")
    if message.rcode != Rcode.NOERROR:
        return Judgement(Worth.RCODE, message.rcode, message, rcode_name(message.rcode))
    if not _has_records(message):
        return Judgement(
            Worth.NODATA, message.rcode, message, f"no {type_name(question.type)} record{_instead(message)}"
        )
    return Judgement(Worth.ANSWERED, message.rcode, message)


def _has_records(message: DnsMessage) -> bool:
    """Return whether the answers hold a record of the asked type at the asked name, or at the end of the CNAMEs that
    begin there, in whatever order they come."""
    name, wanted, _ = message.asked[0]
    answers = [record for record in message.answers if record.klass == IN]
    owners = {record.name.lower() for record in answers if record.type == wanted}
    aliases = {record.name.lower(): str(record.data).lower() for record in answers if record.type == RecordType.CNAME}
    at: str | None = name.lower()
    while at is not None and at not in owners:
        at = aliases.pop(at, None)  # each is followed once, so a loop ends
    return at is not None


def _instead(message: DnsMessage) -> str:
    types = dict.fromkeys(type_name(record.type) for record in message.answers)
    return f" among {len(message.answers)} of type {', '.join([*types][:3])}" if types else ""


def _same_question(question: Question, message: DnsMessage) -> bool:
    """Return whether the reply names the question. Case does not matter (RFC 4343), and a server that failed before it
    read the question may leave it out."""
    if not message.asked:
        return message.rcode not in (Rcode.NOERROR, Rcode.NXDOMAIN)
    if len(message.asked) != 1:
        return False
    name, type_, klass = message.asked[0]
    return type_ == question.type and klass == IN and _same_name(name, question.name)


def _same_name(left: str, right: str) -> bool:
    return left.lower() == right.lower().removesuffix(".") or encode_name(left).lower() == encode_name(right).lower()


def _asked(message: DnsMessage) -> str:
    return " and ".join(f"{name} {type_name(type_)}" for name, type_, _ in message.asked[:3]) or "nothing"


def rcode_name(rcode: int) -> str:
    """Return the mnemonic of `rcode`, "RCODE17" where it has none here."""
    return Rcode(rcode).name if rcode in _RCODES else f"RCODE{rcode}"


def type_name(number: int) -> str:
    """Return the mnemonic of a record type, "TYPE65" where it has none here (RFC 3597, section 5)."""
    return RecordType(number).name if number in _TYPES else f"TYPE{number}"


_RCODES = frozenset(Rcode)
_TYPES = frozenset(RecordType)
