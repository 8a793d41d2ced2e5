"""What a reply is worth to a doctor: the samples of a real CoreDNS, and replies that are wrong in one way each."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from kubesonar.core.dns.message import Question, Rcode, encode_answer
from kubesonar.core.dns.records import Record, RecordType, Srv
from kubesonar.core.dns_check.questions import AskedType, AskPurpose, DnsAsk
from kubesonar.core.dns_check.results import SAID, DnsOutcome
from kubesonar.doctor.answers import judge_pair, judge_reply, put
from kubesonar.model import Fault
from kubesonar.net.dns.transport import DnsReply
from tests.doctor.dns_server import API, NAME

ASK = DnsAsk(AskPurpose.CLUSTER, NAME, want=(API,))
ASKED = Question(NAME, RecordType.A, 7)


def judged(wire: bytes | None, ask: DnsAsk = ASK, question: Question = ASKED, **reply: object) -> DnsOutcome:
    return judge_reply(ask, question, DnsReply(0.0, 0.01, wire, **reply)).outcome  # type: ignore[arg-type]


def answer(*addresses: str, rcode: Rcode = Rcode.NOERROR, question: Question = ASKED, limit: int = 65_535) -> bytes:
    return encode_answer(question, rcode, [Record(NAME, RecordType.A, 5, at) for at in addresses], limit=limit)


@pytest.mark.parametrize(
    ("rcode", "outcome"),
    [
        (Rcode.SERVFAIL, DnsOutcome.SERVFAIL),
        (Rcode.REFUSED, DnsOutcome.REFUSED),
        (Rcode.NXDOMAIN, DnsOutcome.NXDOMAIN),
        (Rcode.FORMERR, DnsOutcome.RCODE),
        (Rcode.NOERROR, DnsOutcome.WRONG_ANSWER),  # empty
    ],
)
def test_rcodes_are_told_apart(rcode: Rcode, outcome: DnsOutcome) -> None:
    assert judged(answer(rcode=rcode)) is outcome


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (Fault.TIMEOUT, DnsOutcome.NO_ANSWER),
        (Fault.REFUSED, DnsOutcome.CLOSED),
        (Fault.RESET, DnsOutcome.NO_ANSWER),
        (Fault.UNREACHABLE, DnsOutcome.UNREACHABLE),
        (Fault.LOCAL, DnsOutcome.LOCAL),
        (Fault.NOT_PERMITTED, DnsOutcome.LOCAL),
    ],
)
def test_silence_has_its_reason(fault: Fault, outcome: DnsOutcome) -> None:
    assert judged(None, fault=fault) is outcome


def test_an_answer_from_elsewhere_is_no_silence() -> None:
    found = judge_reply(ASK, ASKED, DnsReply(0.0, 0.3, fault=Fault.TIMEOUT, elsewhere="10.0.0.9"))
    assert (found.outcome, found.detail) == (DnsOutcome.WRONG_ADDRESS, "10.0.0.9")


def test_the_data_must_be_those_that_are_known() -> None:
    assert judged(answer(API)) is DnsOutcome.GOOD
    assert judged(answer("10.66.6.6")) is DnsOutcome.WRONG_ANSWER
    assert judged(answer("10.66.6.6"), DnsAsk(AskPurpose.CLUSTER, NAME)) is DnsOutcome.GOOD


def test_a_made_up_name_must_not_exist() -> None:
    made_up = DnsAsk(AskPurpose.MADE_UP, "*.default.svc.cluster.local", rcode="NXDOMAIN")
    assert judged(answer(rcode=Rcode.NXDOMAIN), made_up) is DnsOutcome.GOOD
    assert judged(answer("10.66.6.6"), made_up) is DnsOutcome.RCODE


def test_only_a_large_answer_by_udp_may_be_truncated() -> None:
    cut = answer(API, limit=0)
    assert judged(cut) is DnsOutcome.WRONG_ANSWER
    assert judged(cut, DnsAsk(AskPurpose.LARGE, NAME)) is DnsOutcome.GOOD
    assert judged(cut, DnsAsk(AskPurpose.LARGE, NAME, tcp=True)) is DnsOutcome.WRONG_ANSWER


@pytest.mark.parametrize("wire", [b"", b"\0\7", answer(API)[:20], b"\xff" * 40])
def test_what_is_no_answer_is_wrong(wire: bytes) -> None:
    assert judged(wire) is DnsOutcome.WRONG_ANSWER


def test_the_letters_of_the_name_must_come_back_as_they_were_sent() -> None:
    ask = DnsAsk(AskPurpose.CLUSTER, NAME, mixed=True)
    question = put(ask, random.Random(5))
    assert question.name != NAME
    assert question.name.lower() == NAME
    assert judged(answer(API, question=question), ask, question) is DnsOutcome.GOOD
    lower = Question(NAME, RecordType.A, question.id)
    assert judged(answer(API, question=lower), ask, question) is DnsOutcome.CASE_CHANGED


def test_a_made_up_name_is_never_repeated() -> None:
    rng = random.Random(5)
    ask = DnsAsk(AskPurpose.MADE_UP, "*.default.svc.cluster.local")
    assert len({put(ask, rng).name for _ in range(100)}) == 100


def test_at_most_some_of_the_data_are_kept() -> None:
    many = answer(*(f"10.0.0.{n}" for n in range(200)))
    assert len(judge_reply(DnsAsk(AskPurpose.LARGE, NAME), ASKED, DnsReply(0.0, 0.1, many)).said) == SAID


def test_data_of_every_type_are_text() -> None:
    records: dict[AskedType, Record] = {
        "SRV": Record(NAME, RecordType.SRV, 5, Srv(0, 1, 443, "a.example")),
        "TXT": Record(NAME, RecordType.TXT, 5, (b"1.1.", b"0")),
        "MX": Record(NAME, RecordType.MX, 5, b"\0\1"),
    }
    said: list[str] = []
    for type_, record in records.items():
        question = Question(NAME, record.type, 7)
        wire = encode_answer(question, Rcode.NOERROR, [record])
        said += judge_reply(DnsAsk(AskPurpose.CLUSTER, NAME, type_), question, DnsReply(0.0, 0.1, wire)).said
    assert said == ["a.example:443", "1.1.0", "2 bytes"]


def test_halves_of_a_pair() -> None:
    pair = ASKED, Question(NAME, RecordType.AAAA, 8)
    first, second = answer(API), encode_answer(pair[1], Rcode.NOERROR)
    assert judge_pair(pair, (first, second), None, "").outcome is DnsOutcome.GOOD
    assert judge_pair(pair, (first, None), None, "").outcome is DnsOutcome.ONE_OF_TWO
    assert judge_pair(pair, (first, b"\0\10"), None, "").outcome is DnsOutcome.WRONG_ANSWER
    assert judge_pair(pair, (None, None), Fault.TIMEOUT, "").outcome is DnsOutcome.NO_ANSWER


COREDNS = {
    "cluster name, A": (DnsAsk(AskPurpose.CLUSTER, NAME, want=("10.202.0.1",)), DnsOutcome.GOOD),
    "NXDOMAIN, made up": (DnsAsk(AskPurpose.MADE_UP, "r4nd0m-7f3a.default.svc.cluster.local", rcode="NXDOMAIN"), None),
    "NXDOMAIN outside the cluster's domain": (
        DnsAsk(AskPurpose.OUTSIDE, "r4nd0m-7f3a.example.invalid"),
        DnsOutcome.SERVFAIL,
    ),
    "many addresses by UDP without EDNS": (DnsAsk(AskPurpose.LARGE, "big.default.svc.cluster.local"), None),
    "mixed case": (
        DnsAsk(AskPurpose.CLUSTER, "kubErnEtEs.dEfault.svc.clustEr.local", want=("10.202.0.1",)),
        DnsOutcome.GOOD,
    ),
    "with EDNS 1232": (DnsAsk(AskPurpose.CLUSTER, NAME, want=("10.202.0.1",)), DnsOutcome.GOOD),
    "headless, all pods": (DnsAsk(AskPurpose.HEADLESS, "all.peers.svc.cluster.local"), DnsOutcome.GOOD),
    "many addresses, EDNS 4096": (
        DnsAsk(AskPurpose.LARGE, "big.default.svc.cluster.local", payload=4096),
        DnsOutcome.GOOD,
    ),
    "many addresses by TCP": (DnsAsk(AskPurpose.LARGE, "big.default.svc.cluster.local", tcp=True), None),
    "reverse of the Service's address": (
        DnsAsk(AskPurpose.REVERSE, "10.0.202.10.in-addr.arpa", "PTR", want=("kube-dns.kube-system.svc.cluster.local",)),
        None,
    ),
}


@pytest.mark.parametrize("title", COREDNS)
def test_what_a_real_coredns_says(title: str) -> None:
    text = Path(__file__).with_name("coredns_answers.txt").read_text()
    section = next(part for part in text.split("### ") if part.startswith(f"{title}\n"))
    found = re.search(r"^< ([0-9a-f]+)$", section, re.MULTILINE)
    assert found
    ask, outcome = COREDNS[title]
    question = Question(ask.name, RecordType[ask.type], 0x1234)
    assert judged(bytes.fromhex(found[1]), ask, question) is (outcome or DnsOutcome.GOOD)
