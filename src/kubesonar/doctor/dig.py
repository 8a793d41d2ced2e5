"""Asks by dig (BIND's, 9.11 or newer), where a helper pod's image has no kubesonar: its command line, and its answer as
a reply."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from math import ceil

import msgspec

from kubesonar.core.dns.classify import type_name
from kubesonar.core.dns.message import Question, Rcode, encode_answer
from kubesonar.core.dns.records import Record, RecordType
from kubesonar.core.dns_check.questions import AskedServer, AskPurpose, DnsAsk
from kubesonar.model import Fault, clip
from kubesonar.net.dns.transport import DnsReply

DIG_CANNOT = frozenset({AskPurpose.PAIR})
"""Purposes that are not asked by dig: it sends one question at a time from a socket."""

_NO_ANSWER = 9
"""Exit code of dig where no server answered (dig(1))."""

_RECORDS = 4096
"""Most records that are read of one answer; more than fit into a message cost time only."""

_STATUS = re.compile(r"^;; ->>HEADER<<- opcode: QUERY, status: ([A-Z0-9]{1,16}), id: \d{1,5}", re.MULTILINE)
_FLAGS = re.compile(r"^;; flags:((?: [a-z]{2}){0,8});", re.MULTILINE)
_ASKED = re.compile(r"^;([^\s;]{1,1024})\.\s+IN\s+[A-Z]", re.MULTILINE)
_ANSWER = re.compile(r"^([^\s;]{1,1024}?)\.?\s+(\d{1,10})\s+IN\s+(A|AAAA|PTR|CNAME)\s+(\S{1,1024})(?!\S)", re.MULTILINE)
_TIME = re.compile(r"^;; Query time: (\d{1,9}) msec", re.MULTILINE)


def dig_command(server: AskedServer, ask: DnsAsk, question: Question, timeout: float) -> list[str]:
    """Return the words of the command. Words that come from outside are never taken for options."""
    by = ["+tcp"] if ask.tcp else ["+notcp", "+ignore"]
    edns = [f"+bufsize={question.payload}"] if question.payload else ["+noedns"]
    port = server.tcp if ask.tcp else server.udp
    words = ["dig", f"@{server.address}", "-p", str(port), "+tries=2", f"+time={max(1, ceil(timeout))}", "+nocookie"]
    return [*words, *by, *edns, "-t", type_name(question.type), "-q", f"{question.name}."]


def read_dig(text: str, code: int, question: Question) -> DnsReply:
    """Return the reply in what dig printed. What it did not understand is a wrong answer."""
    status, flags = _STATUS.search(text), _FLAGS.search(text)
    if status is None or flags is None:
        return _unanswered(text, code)
    asked = _ASKED.search(text)
    echoed = msgspec.structs.replace(question, name=asked[1]) if asked else question
    rcode = Rcode[status[1]] if status[1] in Rcode.__members__ else Rcode.NOTIMP
    limit = 0 if "tc" in flags[1].split() else 65_535
    try:
        wire = encode_answer(echoed, rcode, _records(text), limit=limit)
    except ValueError as error:
        return DnsReply(0.0, 0.0, fault=Fault.WRONG_ANSWER, detail=clip(str(error)))
    took = _TIME.search(text)
    return DnsReply(0.0, int(took[1]) / 1000 if took else 0.0, wire)


def _records(text: str) -> Iterator[Record]:
    for count, found in enumerate(_ANSWER.finditer(text)):
        if count < _RECORDS:
            data = found[4].removesuffix(".") if found[3] in ("PTR", "CNAME") else found[4]
            yield Record(found[1], RecordType[found[3]], min(int(found[2]), 0x7FFFFFFF), data)


def _unanswered(text: str, code: int) -> DnsReply:
    said = _last_line([line for line in text.splitlines() if "error" in line or "failed" in line or "Warning" in line])
    if "connection refused" in text:
        return DnsReply(0.0, 0.0, fault=Fault.REFUSED, detail=said)
    if "unreachable" in text:
        return DnsReply(0.0, 0.0, fault=Fault.UNREACHABLE, detail=said)
    if "Warning" in text:
        return DnsReply(0.0, 0.0, fault=Fault.WRONG_ANSWER, detail=said)
    fault = Fault.TIMEOUT if code == _NO_ANSWER else Fault.OTHER
    return DnsReply(0.0, 0.0, fault=fault, detail=said or clip(text))


def _last_line(lines: Sequence[str]) -> str:
    return clip(lines[-1].strip("; ")) if lines else ""
