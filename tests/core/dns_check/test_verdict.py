"""The verdict of one look: each part by itself, and what one standpoint cannot tell apart."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest

from kubesonar.core.dns_check.questions import (
    PAIRS,
    AskedServer,
    AskPurpose,
    DnsAsk,
    DnsNames,
    ServerRole,
    asks_for,
    usual_asks,
)
from kubesonar.core.dns_check.results import DnsLook, DnsOutcome, DnsResult, DnsVerdict, SearchCost
from kubesonar.core.dns_check.verdict import judge_look
from kubesonar.model import Health

A, B, C = (AskedServer(f"coredns-{x}", ServerRole.POD, f"10.1.0.{n}", node=f"node-{x}") for n, x in enumerate("abc", 1))
VIP = AskedServer("kube-dns", ServerRole.SERVICE, "10.96.0.10")
CACHE = AskedServer("cache 169.254.20.10", ServerRole.CACHE, "169.254.20.10")
UPSTREAM = AskedServer("upstream 10.0.0.2", ServerRole.UPSTREAM, "10.0.0.2")
OUT = [AskedServer(f"dns at node {n}", ServerRole.EXPOSED, f"192.0.2.{n}", 30053, 30053, f"node-{n}") for n in (1, 2)]
ASKS = usual_asks(
    DnsNames(domain="cluster.local", vips=("10.96.0.10",), headless="db.x.svc", large="db.x.svc", outside="example.com")
)

Sick = Mapping[tuple[AskedServer, str], DnsOutcome]
"""What is not well: by server and "udp", "tcp", a purpose, or "" for everything."""


def look(*servers: AskedServer, sick: Sick | None = None, **more: object) -> DnsLook:
    results = [
        DnsResult(server, ask, outcome(server, ask, sick or {}), 0.001, detail=detail(server, ask, sick or {}))
        for server in servers
        for ask in asks_for(server, ASKS)
        for _ in range(PAIRS if ask.purpose is AskPurpose.PAIR else 1)
    ]
    one = DnsLook(at=0.0, vantage=1, why="it was asked for", results=tuple(results))
    return msgspec.structs.replace(one, **more)


def outcome(server: AskedServer, ask: DnsAsk, sick: Sick) -> DnsOutcome:
    for what in ("", "tcp" if ask.tcp else "udp", ask.purpose.value):
        if found := sick.get((server, what)):
            return found
    return DnsOutcome.GOOD


def detail(server: AskedServer, ask: DnsAsk, sick: Sick) -> str:
    return "" if outcome(server, ask, sick) is DnsOutcome.GOOD else outcome(server, ask, sick).value


def said(*servers: AskedServer, sick: Sick | None = None) -> DnsVerdict:
    return judge_look(look(*servers, sick=sick))


def found(verdict: DnsVerdict) -> list[tuple[str, str, str]]:
    return [(one.part, one.subject, one.fault) for one in verdict.findings]


def test_everything_well_is_healthy() -> None:
    verdict = said(VIP, A, B, UPSTREAM)
    assert (verdict.health, verdict.findings, verdict.unknown) == (Health.GOOD, (), ())
    assert (
        verdict.sentence == "DNS is healthy: kube-dns, coredns-a and coredns-b answered every question that was asked"
    )


@pytest.mark.parametrize(
    ("by", "fault"), [("udp", "tcp_only"), ("tcp", "udp_only")], ids=["deaf by UDP", "deaf by TCP"]
)
def test_a_pod_that_answers_by_one_transport_only(by: str, fault: str) -> None:
    verdict = said(VIP, A, B, sick={(A, by): DnsOutcome.NO_ANSWER})
    assert (verdict.health, found(verdict)) == (Health.BAD, [("pod", "coredns-a", fault)])


@pytest.mark.parametrize(
    "outcome",
    [DnsOutcome.SERVFAIL, DnsOutcome.REFUSED, DnsOutcome.NXDOMAIN, DnsOutcome.WRONG_ANSWER, DnsOutcome.RCODE],
)
def test_a_pod_that_answers_wrongly(outcome: DnsOutcome) -> None:
    verdict = said(VIP, A, B, sick={(A, ""): outcome})
    assert found(verdict)[0] == ("pod", "coredns-a", outcome.value)
    assert "on node-a answers wrongly by UDP" in verdict.sentence


def test_answers_from_a_wrong_address_are_told_apart() -> None:
    verdict = said(VIP, A, B, sick={(A, "udp"): DnsOutcome.WRONG_ADDRESS})
    assert found(verdict) == [("pod", "coredns-a", "wrong_address")]


def test_a_silent_pod_is_sick_or_its_way_is_and_one_standpoint_cannot_tell() -> None:
    verdict = said(VIP, A, B, sick={(A, ""): DnsOutcome.NO_ANSWER})
    assert found(verdict) == [("pod", "coredns-a", "unreached")]
    assert "ask from another node" in verdict.unknown[0]


def test_a_pod_whose_host_refuses_is_dead() -> None:
    verdict = said(VIP, A, B, sick={(A, ""): DnsOutcome.CLOSED})
    assert found(verdict) == [("pod", "coredns-a", "dead")]
    assert verdict.unknown == ()


def test_pods_well_and_the_virtual_address_dead_is_the_proxy_or_the_service() -> None:
    verdict = said(VIP, A, B, sick={(VIP, ""): DnsOutcome.NO_ANSWER})
    assert found(verdict) == [("service", "kube-dns", "dead")]
    assert "service proxy" in verdict.sentence
    assert "not told apart" in verdict.unknown[0]


def test_outside_the_cluster_a_virtual_address_that_is_not_reached_accuses_nobody() -> None:
    seen = look(VIP, A, B, sick={(VIP, ""): DnsOutcome.NO_ANSWER}, inside=False)
    verdict = judge_look(seen)
    assert (verdict.health, verdict.findings) == (Health.UNKNOWN, ())
    assert "as is usual outside the cluster" in verdict.sentence
    deaf = judge_look(look(VIP, A, B, sick={(VIP, "udp"): DnsOutcome.NO_ANSWER}, inside=False))
    assert found(deaf) == [("service", "kube-dns", "tcp_only")]


def test_with_a_cache_on_the_node_it_may_own_the_dead_address() -> None:
    verdict = said(VIP, A, CACHE, sick={(VIP, ""): DnsOutcome.NO_ANSWER})
    assert "the DNS cache, where that owns the address" in verdict.unknown[0]


@pytest.mark.parametrize("by", ["udp", "tcp"])
def test_the_virtual_address_dead_by_one_transport(by: str) -> None:
    verdict = said(VIP, A, B, sick={(VIP, by): DnsOutcome.NO_ANSWER})
    assert [one.part for one in verdict.findings] == ["service"]


def test_the_service_is_not_accused_while_a_pod_behind_it_is_sick() -> None:
    verdict = said(VIP, A, B, sick={(A, "udp"): DnsOutcome.NO_ANSWER, (VIP, "made_up"): DnsOutcome.NO_ANSWER})
    assert found(verdict) == [("pod", "coredns-a", "tcp_only")]


def test_a_silent_service_may_have_led_to_the_sick_pod_each_time() -> None:
    verdict = said(VIP, A, B, sick={(A, ""): DnsOutcome.NO_ANSWER, (VIP, ""): DnsOutcome.NO_ANSWER})
    assert found(verdict) == [("pod", "coredns-a", "unreached")]
    assert any("kube-dns does not answer; whether it would" in line for line in verdict.unknown)


def test_a_dead_cache() -> None:
    verdict = said(VIP, A, CACHE, sick={(CACHE, ""): DnsOutcome.NO_ANSWER})
    assert [one.part for one in verdict.findings] == ["cache"]


def test_pods_that_only_the_service_reaches_are_not_accused() -> None:
    verdict = said(VIP, A, B, sick={(A, ""): DnsOutcome.NO_ANSWER, (B, ""): DnsOutcome.NO_ANSWER})
    assert (verdict.health, verdict.findings) == (Health.UNKNOWN, ())
    assert "not reached from here" in verdict.sentence


def test_nothing_answers() -> None:
    everything = dict.fromkeys(((server, "") for server in (VIP, A, B)), DnsOutcome.NO_ANSWER)
    assert found(said(VIP, A, B, sick=everything)) == [("way", "here", "dead")]


def test_nothing_listens_on_any_pod() -> None:
    sick = {(VIP, ""): DnsOutcome.NO_ANSWER, (A, ""): DnsOutcome.CLOSED, (B, ""): DnsOutcome.CLOSED}
    assert found(said(VIP, A, B, sick=sick)) == [("pod", "all", "dead")]


@pytest.mark.parametrize("by", ["udp", "tcp"])
def test_a_transport_that_nobody_answers_is_one_finding(by: str) -> None:
    verdict = said(VIP, A, B, sick=dict.fromkeys(((server, by) for server in (VIP, A, B)), DnsOutcome.NO_ANSWER))
    assert len(verdict.findings) == 1
    assert verdict.findings[0].part == "way"


@pytest.mark.parametrize("outcome", [DnsOutcome.SERVFAIL, DnsOutcome.NO_ANSWER, DnsOutcome.REFUSED])
def test_outside_names_only_are_the_upstream(outcome: DnsOutcome) -> None:
    verdict = said(VIP, A, B, sick=dict.fromkeys(((server, "outside") for server in (VIP, A, B)), outcome))
    assert found(verdict) == [("upstream", "upstream", "outside")]


def test_an_upstream_that_answers_from_here_puts_the_fault_on_the_way_to_it() -> None:
    sick = dict.fromkeys(((server, "outside") for server in (VIP, A, B)), DnsOutcome.SERVFAIL)
    assert "their way there is sick" in said(VIP, A, B, UPSTREAM, sick=sick).sentence
    also = said(VIP, A, B, UPSTREAM, sick={**sick, (UPSTREAM, "outside"): DnsOutcome.NO_ANSWER})
    assert "does not answer it from here either" in also.sentence


def test_outside_names_of_one_pod_are_its_own_way() -> None:
    verdict = said(A, B, sick={(A, "outside"): DnsOutcome.SERVFAIL})
    assert found(verdict) == [("upstream", "coredns-a", "outside_some")]


def test_large_answers_only() -> None:
    verdict = said(VIP, A, sick={(A, "large"): DnsOutcome.NO_ANSWER})
    assert found(verdict) == [("way", "coredns-a", "large")]
    assert "large answers by UDP, by UDP, in fragments, and by TCP do not come" in verdict.sentence


@pytest.mark.parametrize(
    ("sick", "expected"),
    [
        ({(A, "outside"): DnsOutcome.SERVFAIL}, ("upstream", "coredns-a", "outside_some")),
        ({(A, "large"): DnsOutcome.NO_ANSWER}, ("way", "coredns-a", "large")),
        ({(A, "headless"): DnsOutcome.NXDOMAIN}, ("names", "coredns-a", "headless")),
        ({(A, "cluster"): DnsOutcome.CASE_CHANGED}, ("names", "coredns-a", "case")),
    ],
)
def test_what_the_service_shows_because_of_one_pod_is_told_of_the_pod(sick: Sick, expected: tuple[str, ...]) -> None:
    through = {(VIP, what): outcome for (_, what), outcome in sick.items()}
    assert found(said(VIP, A, B, sick={**sick, **through})) == [expected]
    assert found(said(VIP, A, B, sick=through))[0][1] == "kube-dns"


@pytest.mark.parametrize("what", ["outside", "large", "pair", "headless", "reverse"])
@pytest.mark.parametrize("outcome", [DnsOutcome.NO_ANSWER, DnsOutcome.SERVFAIL])
def test_while_a_pod_is_sick_nothing_is_told_of_the_service(what: str, outcome: DnsOutcome) -> None:
    verdict = said(VIP, A, B, sick={(A, ""): outcome, (VIP, what): outcome})
    assert [one.subject for one in verdict.findings] == ["coredns-a"]


def test_a_lost_half_of_a_pair_is_the_conntrack_race() -> None:
    verdict = said(VIP, A, sick={(VIP, "pair"): DnsOutcome.ONE_OF_TWO})
    assert found(verdict) == [("service", "kube-dns", "pair")]
    assert f"in {PAIRS} of {PAIRS} pairs" in verdict.sentence


def test_a_lost_half_of_a_pair_is_no_race_where_single_questions_are_lost_too() -> None:
    seen = look(VIP, A, sick={(VIP, "pair"): DnsOutcome.ONE_OF_TWO})
    again = tuple(
        msgspec.structs.replace(one, tries=2) if one.ask.purpose is AskPurpose.REVERSE else one for one in seen.results
    )
    verdict = judge_look(msgspec.structs.replace(seen, results=again))
    assert found(verdict) == [("way", "coredns-a", "lossy")]
    assert "by coredns-a: packets are lost" in verdict.sentence


def test_a_large_answer_that_came_when_asked_again_is_no_loss() -> None:
    seen = look(VIP, A, B, sick={(A, "large"): DnsOutcome.NO_ANSWER})
    again = tuple(
        msgspec.structs.replace(one, tries=2) if one.ask.purpose is AskPurpose.LARGE else one for one in seen.results
    )
    assert [one.fault for one in judge_look(msgspec.structs.replace(seen, results=again)).findings] == ["large"]


def test_changed_case_and_headless_and_reverse_names() -> None:
    sick = {(A, "headless"): DnsOutcome.NXDOMAIN, (A, "reverse"): DnsOutcome.NXDOMAIN}
    assert [fault for _, _, fault in found(said(A, sick=sick))] == ["headless", "reverse"]
    assert [fault for _, _, fault in found(said(A, sick={(A, "cluster"): DnsOutcome.CASE_CHANGED}))] == ["case"]


def test_slow_and_lossy_servers() -> None:
    slow = look(A, B)
    slow = msgspec.structs.replace(
        slow,
        results=tuple(
            msgspec.structs.replace(one, took=0.8 if one.server == A else 0.001, tries=2 if one.server == B else 1)
            for one in slow.results
        ),
    )
    assert [(one.subject, one.fault) for one in judge_look(slow).findings] == [
        ("coredns-a", "slow"),
        ("coredns-b", "lossy"),
    ]


def test_our_own_trouble_accuses_nobody() -> None:
    verdict = said(VIP, A, B, sick=dict.fromkeys(((server, "") for server in (VIP, A, B)), DnsOutcome.LOCAL))
    assert (verdict.health, verdict.findings) == (Health.UNKNOWN, ())


def test_by_tcp_alone_nothing_is_called_healthy() -> None:
    verdict = said(*(msgspec.structs.replace(pod, udp=0) for pod in (A, B)))
    assert verdict.health is Health.UNKNOWN
    assert "UDP" in verdict.sentence


def test_an_exposed_address_dead_on_one_node_and_well_on_another() -> None:
    verdict = said(*OUT, sick={(OUT[0], ""): DnsOutcome.NO_ANSWER})
    assert found(verdict) == [("exposed", "dns at node 1", "dead")]


def test_the_cost_of_a_search_list_is_a_remark_and_no_fault() -> None:
    cost = SearchCost("example.com", 5, ("a.svc.cluster.local", "svc.cluster.local", "cluster.local"), 4)
    verdict = judge_look(msgspec.structs.replace(look(VIP, A), search=cost))
    assert (verdict.health, found(verdict)) == (Health.GOOD, [("names", "example.com", "search")])
    assert "asks 8 questions" in verdict.findings[0].sentence
