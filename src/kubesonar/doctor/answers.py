"""Judges the replies to a doctor's questions: what came, whether it was what was expected, and from where."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import lru_cache

import msgspec

from kubesonar.core.dns.classify import Judgement, Worth, classify, rcode_name
from kubesonar.core.dns.message import DnsMessage, Question, Rcode
from kubesonar.core.dns.names import fresh_name
from kubesonar.core.dns.records import Record, RecordType, Srv
from kubesonar.core.dns_check.questions import PLAIN, AskPurpose, DnsAsk
from kubesonar.core.dns_check.results import SAID, DnsOutcome
from kubesonar.model import Fault, clip
from kubesonar.net.dns.transport import DnsReply

_CASE = 0x20

_MAY_BE_LONG = frozenset({AskPurpose.LARGE, AskPurpose.HEADLESS, AskPurpose.OUTSIDE, AskPurpose.NAMED})
"""Purposes whose answers may be longer than a datagram, so that a truncated one is well by UDP."""

_OF_FAULT = {
    Fault.REFUSED: DnsOutcome.CLOSED,
    Fault.UNREACHABLE: DnsOutcome.UNREACHABLE,
    Fault.TIMEOUT: DnsOutcome.NO_ANSWER,
    Fault.RESET: DnsOutcome.NO_ANSWER,
    Fault.TOO_BIG: DnsOutcome.NO_ANSWER,
    Fault.WRONG_ANSWER: DnsOutcome.WRONG_ANSWER,
}
_OF_RCODE: dict[int, DnsOutcome] = {
    Rcode.NXDOMAIN: DnsOutcome.NXDOMAIN,
    Rcode.SERVFAIL: DnsOutcome.SERVFAIL,
    Rcode.REFUSED: DnsOutcome.REFUSED,
}


class JudgedReply(msgspec.Struct, frozen=True):
    """The outcome of one question, the data in its answer, and what a person should know."""

    outcome: DnsOutcome
    said: tuple[str, ...] = ()
    detail: str = ""


def put(ask: DnsAsk, rng: random.Random) -> Question:
    """Return the question of `ask` with an id, and where it wants them a fresh label and the case of each letter, drawn
    by `rng`: pass a `random.SystemRandom`, so that no spoofer guesses them."""
    name = fresh_name(ask.name, rng)
    if ask.mixed:
        name = _mixed(name, rng)
    return Question(name, RecordType[ask.type], rng.getrandbits(16), payload=PLAIN if ask.tcp else ask.payload)


def _mixed(name: str, rng: random.Random) -> str:
    """Return the name with the case of each letter drawn by lot."""
    wire = name.encode()
    flips = rng.getrandbits(8 * len(wire)) & _case_bits(wire)
    return (int.from_bytes(wire, "big") ^ flips).to_bytes(len(wire), "big").decode()


@lru_cache(64)  # the same few names are asked again and again
def _case_bits(wire: bytes) -> int:
    """Return the bit of the case of every letter, as ASCII has it, in the number that the bytes are."""
    return int.from_bytes(bytes(_CASE if chr(byte).isalpha() else 0 for byte in wire), "big")


def judge_reply(ask: DnsAsk, question: Question, reply: DnsReply) -> JudgedReply:
    """Return what the reply to `question` is worth."""
    if reply.wire is None:
        return _unanswered(reply)
    found = classify(question, reply.wire)
    if found.message is None:
        return JudgedReply(DnsOutcome.WRONG_ANSWER, (), clip(f"{found.worth.value.replace('_', ' ')}: {found.reason}"))
    return _answered(ask, question, found, found.message)


def judge_pair(
    questions: Sequence[Question], wires: Sequence[bytes | None], fault: Fault | None, why: str
) -> JudgedReply:
    """Return what the replies to both halves of a look-up are worth. An answer without records is one: most Services
    have one family."""
    if fault is not None:
        return JudgedReply(_outcome_of(fault), (), why)
    for question, wire in zip(questions, wires, strict=True):
        if wire is not None and classify(question, wire).message is None:
            return JudgedReply(DnsOutcome.WRONG_ANSWER, (), clip(classify(question, wire).reason))
    missing = [question for question, wire in zip(questions, wires, strict=True) if wire is None]
    if missing:
        return JudgedReply(DnsOutcome.ONE_OF_TWO, (), f"no answer to {RecordType(missing[0].type).name} of a pair")
    return JudgedReply(DnsOutcome.GOOD)


def _unanswered(reply: DnsReply) -> JudgedReply:
    if reply.elsewhere:
        return JudgedReply(DnsOutcome.WRONG_ADDRESS, (), reply.elsewhere)
    return JudgedReply(_outcome_of(reply.fault or Fault.OTHER), (), reply.detail)


def _outcome_of(fault: Fault) -> DnsOutcome:
    return _OF_FAULT.get(fault, DnsOutcome.LOCAL)


def _answered(ask: DnsAsk, question: Question, found: Judgement, message: DnsMessage) -> JudgedReply:
    if found.worth is Worth.TRUNCATED:
        cut = ask.purpose in _MAY_BE_LONG and not ask.tcp
        return JudgedReply(DnsOutcome.GOOD if cut else DnsOutcome.WRONG_ANSWER, (), "truncated")
    rcode = rcode_name(message.rcode)
    if rcode != ask.rcode:
        return JudgedReply(_OF_RCODE.get(message.rcode, DnsOutcome.RCODE), (), f"{rcode} instead of {ask.rcode}")
    if found.worth is Worth.NODATA:
        return JudgedReply(DnsOutcome.WRONG_ANSWER, (), clip(f"an empty answer: {found.reason}"))
    said = tuple([_text(record) for record in message.answers if record.type == question.type])
    if ask.want and not any(word.lower() in ask.want for word in said):
        return JudgedReply(
            DnsOutcome.WRONG_ANSWER, said[:SAID], clip(f"{', '.join(said[:3])} instead of {ask.want[0]}")
        )
    if ask.mixed and message.asked and message.asked[0][0] != question.name:
        return JudgedReply(
            DnsOutcome.CASE_CHANGED, said[:SAID], f"asked for {question.name}, echoed {message.asked[0][0]}"
        )
    return JudgedReply(DnsOutcome.GOOD, said[:SAID])


def _text(record: Record) -> str:
    match record.data:
        case str():
            return record.data
        case Srv():
            return f"{record.data.target}:{record.data.port}"
        case tuple():
            return clip(b"".join(record.data).decode("latin-1"))
        case bytes():
            return f"{len(record.data)} bytes"
