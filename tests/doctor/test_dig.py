"""What dig prints, read as a reply: texts of dig 9.18, and dig itself."""

from __future__ import annotations

import subprocess

import pytest

from kubesonar.core.dns.message import Question, Rcode
from kubesonar.core.dns.records import RecordType
from kubesonar.core.dns_check.questions import AskedServer, AskPurpose, DnsAsk, ServerRole
from kubesonar.core.dns_check.results import DnsOutcome
from kubesonar.doctor.answers import judge_reply
from kubesonar.doctor.dig import dig_command, read_dig
from kubesonar.model import Fault
from tests.doctor import dns_server
from tests.doctor.dns_server import API, HEADLESS, NAME, DnsServerDouble, serving
from tests.ports import free_port
from tests.programs import needs

MIXED = "KuberNetes.default.svc.cluster.local"
ANSWER = f""";; Got answer:
;; WARNING: .local is reserved for Multicast DNS
;; You are currently testing what happens when an mDNS query is leaked to DNS
;; ->>HEADER<<- opcode: QUERY, status: NOERROR, id: 2908
;; flags: qr aa rd; QUERY: 1, ANSWER: 1, AUTHORITY: 0, ADDITIONAL: 1

;; OPT PSEUDOSECTION:
; EDNS: version: 0, flags:; udp: 1232
;; QUESTION SECTION:
;{MIXED}. IN A

;; ANSWER SECTION:
{NAME}. 5	IN	A	{API}

;; Query time: 4 msec
;; SERVER: 127.0.0.1#21914(127.0.0.1) (UDP)
"""
ASK = DnsAsk(AskPurpose.CLUSTER, NAME, mixed=True, want=(API,))


def outcome(text: str, name: str = MIXED, code: int = 0) -> DnsOutcome:
    question = Question(name, RecordType.A, 7)
    return judge_reply(ASK, question, read_dig(text, code, question)).outcome


def test_an_answer() -> None:
    assert outcome(ANSWER) is DnsOutcome.GOOD
    assert outcome(ANSWER, "kuBerNetes.default.svc.cluster.local") is DnsOutcome.CASE_CHANGED
    assert outcome(ANSWER.replace(API, "10.66.6.6")) is DnsOutcome.WRONG_ANSWER
    assert read_dig(ANSWER, 0, Question(NAME, RecordType.A, 7)).took == 0.004


@pytest.mark.parametrize("code", ["SERVFAIL", "REFUSED", "NXDOMAIN"])
def test_rcodes(code: str) -> None:
    assert outcome(ANSWER.replace("NOERROR", code)).value == code.lower()


def test_a_truncated_answer_and_an_unknown_code() -> None:
    assert outcome(ANSWER.replace("qr aa rd", "qr aa tc rd")) is DnsOutcome.WRONG_ANSWER
    assert outcome(ANSWER.replace("NOERROR", "BADCOOKIE")) is DnsOutcome.RCODE


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (";; communications error to 127.0.0.1#53: timed out\n;; no servers could be reached\n", Fault.TIMEOUT),
        (";; communications error to 127.0.0.1#1: connection refused\n;; no servers could be reached\n", Fault.REFUSED),
        (";; Connection to 127.0.0.1#1(127.0.0.1) for a.b failed: connection refused.\n", Fault.REFUSED),
        (";; communications error to 10.0.0.1#53: host unreachable\n", Fault.UNREACHABLE),
        (";; Warning: short (< header size) message received\n", Fault.WRONG_ANSWER),
        ("", Fault.TIMEOUT),
    ],
)
def test_no_answer(text: str, fault: Fault) -> None:
    assert read_dig(text, 9, Question(NAME, RecordType.A, 7)).fault is fault


@pytest.mark.parametrize("text", ["", "dig: invalid option", "\0" * 99, ANSWER.replace(API, "10.0.0.256")])
def test_what_is_no_answer_of_dig_never_raises(text: str) -> None:
    assert outcome(text, code=1) is not DnsOutcome.GOOD


def test_words_from_outside_are_no_options() -> None:
    command = dig_command(AskedServer("a", ServerRole.POD, "10.0.0.1"), ASK, Question("-f", RecordType.A, 7), 0.2)
    assert command[-2:] == ["-q", "-f."]
    assert "+time=1" in command


@needs("dig")
@pytest.mark.parametrize(
    ("ask", "sickness", "expected"),
    [
        (ASK, dns_server.well, DnsOutcome.GOOD),
        (DnsAsk(AskPurpose.CLUSTER, NAME, tcp=True), dns_server.well, DnsOutcome.GOOD),
        (DnsAsk(AskPurpose.LARGE, HEADLESS, payload=0), dns_server.well, DnsOutcome.GOOD),
        (DnsAsk(AskPurpose.LARGE, HEADLESS, tcp=True), dns_server.well, DnsOutcome.GOOD),
        (ASK, dns_server.says(Rcode.SERVFAIL), DnsOutcome.SERVFAIL),
        (ASK, dns_server.wrong, DnsOutcome.WRONG_ANSWER),
    ],
)
def test_dig_itself(ask: DnsAsk, sickness: dns_server.Answer, expected: DnsOutcome) -> None:
    server = DnsServerDouble("127.0.0.1", free_port())
    server.udp = server.tcp = sickness
    question = Question(ask.name, RecordType.A, 7, payload=ask.payload)
    asked = AskedServer("a", ServerRole.POD, "127.0.0.1", server.port, server.port)
    with serving([server]):
        command = dig_command(asked, ask, question, 2.0)
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert judge_reply(ask, question, read_dig(done.stdout, done.returncode, question)).outcome is expected
