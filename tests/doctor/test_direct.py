"""Questions over real sockets, to servers that are sick in one way each, and to a real unbound."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import uvloop

from kubesonar.core.dns.message import Question, Rcode
from kubesonar.core.dns_check.questions import (
    PAIRS,
    QUESTION_LIMIT,
    SERVER_LIMIT,
    AskedServer,
    AskPlan,
    AskPurpose,
    DnsNames,
    ServerRole,
    usual_asks,
)
from kubesonar.core.dns_check.results import DnsOutcome, DnsResult
from kubesonar.doctor.direct import DirectAsker
from kubesonar.net.clock import SystemClock
from tests.doctor import dns_server
from tests.doctor.dns_server import API, DOMAIN, HEADLESS, VIP, DnsServerDouble, serving
from tests.ports import free_port
from tests.probes.dns_servers import running_unbound

NAMES = DnsNames(domain=DOMAIN, api=(API,), vips=(VIP,), headless=HEADLESS, large=HEADLESS, outside="example.com")
SILENT = DnsOutcome.NO_ANSWER


def ask(*servers: AskedServer, names: DnsNames = NAMES, timeout: float = 5.0) -> list[DnsResult]:
    async def run() -> list[DnsResult]:
        async with DirectAsker(SystemClock(), random.Random(1)) as asker:
            return await asker.ask(AskPlan(servers, usual_asks(names), timeout))

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run())


def pod(server: DnsServerDouble) -> AskedServer:
    return AskedServer("coredns-a", ServerRole.POD, server.address, server.port, server.port)


def outcomes(results: list[DnsResult], purpose: AskPurpose, tcp: bool = False) -> set[DnsOutcome]:
    return {one.outcome for one in results if one.ask.purpose is purpose and one.ask.tcp is tcp}


def test_a_well_server_answers_everything() -> None:
    server = DnsServerDouble("127.0.0.1", free_port())
    with serving([server]):
        results = ask(pod(server))
    assert {one.outcome for one in results} == {DnsOutcome.GOOD}
    assert {one.tries for one in results} == {1}
    assert len(server.asked) == len(results) <= QUESTION_LIMIT
    assert len({question.id for _, question in server.asked}) > 1


@pytest.mark.parametrize(
    ("sickness", "outcome"),
    [
        (dns_server.says(Rcode.SERVFAIL), DnsOutcome.SERVFAIL),
        (dns_server.says(Rcode.REFUSED), DnsOutcome.REFUSED),
        (dns_server.says(Rcode.NXDOMAIN), DnsOutcome.NXDOMAIN),
        (dns_server.wrong, DnsOutcome.WRONG_ANSWER),
    ],
)
def test_wrong_answers(sickness: dns_server.Answer, outcome: DnsOutcome) -> None:
    server = DnsServerDouble("127.0.0.1", free_port())
    server.udp = server.tcp = sickness
    with serving([server]):
        results = ask(pod(server))
    assert outcomes(results, AskPurpose.CLUSTER) == outcomes(results, AskPurpose.CLUSTER, tcp=True) == {outcome}


def deaf(server: DnsServerDouble) -> None:
    server.udp = dns_server.silent


def astray(server: DnsServerDouble) -> None:
    server.elsewhere = "127.0.0.99"


@pytest.mark.parametrize(("make_sick", "outcome"), [(deaf, SILENT), (astray, DnsOutcome.WRONG_ADDRESS)])
def test_sick_by_udp_only(make_sick: Callable[[DnsServerDouble], None], outcome: DnsOutcome) -> None:
    server = DnsServerDouble("127.0.0.1", free_port())
    make_sick(server)
    with serving([server]):
        results = ask(pod(server), names=DnsNames(domain=DOMAIN), timeout=0.8)
    assert outcomes(results, AskPurpose.CLUSTER) == outcomes(results, AskPurpose.MADE_UP) == {outcome}
    assert outcomes(results, AskPurpose.CLUSTER, tcp=True) == {DnsOutcome.GOOD}


def test_a_question_without_an_answer_is_asked_twice_and_no_more() -> None:
    server = DnsServerDouble("127.0.0.1", free_port())
    server.udp = dns_server.silent
    with serving([server]):
        results = [one for one in ask(pod(server), names=DnsNames(domain=DOMAIN), timeout=0.2) if not one.ask.tcp]
    assert {one.tries for one in results} == {2}
    assert len([by for by, _ in server.asked if by == "udp"]) == 2 * len(results)


def test_a_lost_packet_is_no_silence() -> None:
    server = DnsServerDouble("127.0.0.1", free_port())
    seen = set[bool]()

    def once_silent(question: Question) -> bytes | None:
        first, edns = bool(question.payload) not in seen, bool(question.payload)
        seen.add(edns)
        return None if first else dns_server.well(question)

    server.udp = once_silent
    with serving([server]):
        results = ask(pod(server), names=DnsNames(domain=DOMAIN), timeout=1.0)
    assert {one.outcome for one in results} == {DnsOutcome.GOOD}
    assert {one.tries for one in results} == {1, 2}


def test_questions_with_edns_that_a_firewall_drops() -> None:
    server = DnsServerDouble("127.0.0.1", free_port())
    server.udp = dns_server.without_edns
    with serving([server]):
        results = ask(pod(server), names=DnsNames(domain=DOMAIN), timeout=0.8)
    found = {bool(one.ask.payload): one.outcome for one in results if not one.ask.tcp}
    assert found == {True: SILENT, False: DnsOutcome.GOOD}


def test_a_server_that_changes_the_case_of_names() -> None:
    server = DnsServerDouble("127.0.0.1", free_port())
    server.udp = dns_server.lower_case
    with serving([server]):
        results = ask(pod(server), names=DnsNames(domain=DOMAIN))
    assert {one.outcome for one in results if one.ask.mixed} == {DnsOutcome.CASE_CHANGED}


def test_nothing_listens() -> None:
    port = free_port()
    results = ask(AskedServer("a", ServerRole.POD, "127.0.0.1", port, port))
    assert {one.outcome for one in results} == {DnsOutcome.CLOSED}


def test_pairs_are_sent_several_times_and_lose_one_half() -> None:
    server = DnsServerDouble("127.0.0.1", free_port())
    server.drop_aaaa = True
    vip = msgspec.structs.replace(pod(server), role=ServerRole.SERVICE)
    with serving([server]):
        results = ask(vip, names=DnsNames(domain=DOMAIN), timeout=0.8)
    pairs = [one.outcome for one in results if one.ask.purpose is AskPurpose.PAIR]
    assert pairs == [DnsOutcome.ONE_OF_TWO] * PAIRS


def test_a_plan_from_elsewhere_asks_a_bounded_number_of_servers() -> None:
    port = free_port()
    many = [AskedServer(f"a{n}", ServerRole.POD, "127.0.0.1", port, port) for n in range(SERVER_LIMIT + 9)]
    results = ask(*many, names=DnsNames(domain=DOMAIN))
    assert len({one.server for one in results}) == SERVER_LIMIT


def test_a_real_unbound(tmp_path: Path) -> None:
    with running_unbound(tmp_path) as port:
        server = AskedServer("unbound", ServerRole.SERVER, "127.0.0.1", port, port)
        names = DnsNames(domain=DOMAIN, api=("10.96.0.1",), type="A")
        results = ask(server, names=names)
        large = ask(server, names=msgspec.structs.replace(names, large="big.cluster.local", type="TXT", api=()))
    assert {one.outcome for one in results} == {DnsOutcome.GOOD}
    assert outcomes(large, AskPurpose.LARGE) == outcomes(large, AskPurpose.LARGE, tcp=True) == {DnsOutcome.GOOD}
