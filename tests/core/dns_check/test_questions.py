"""What is asked of which server, and how often."""

from __future__ import annotations

import pytest

from kubesonar.core.dns_check.questions import (
    QUESTION_LIMIT,
    AskedServer,
    AskPurpose,
    DnsNames,
    ServerRole,
    asks_for,
    domain_in,
    reverse_name,
    usual_asks,
)

ASKS = usual_asks(
    DnsNames(
        domain="c.example",
        api=("10.96.0.1",),
        vips=("10.96.0.10",),
        headless="h.c.example",
        large="h.c.example",
        outside="o.example",
        also=("a.example", "b.example", "c.example", "d.example"),
    )
)


@pytest.mark.parametrize("role", [role for role in ServerRole if role is not ServerRole.UPSTREAM])
def test_a_server_is_asked_a_bounded_number_of_questions_by_both_transports(role: ServerRole) -> None:
    asks = [ask for ask in asks_for(AskedServer("a", role, "10.0.0.1"), ASKS) if ask.purpose is not AskPurpose.PAIR]
    assert 0 < len(asks) <= QUESTION_LIMIT
    assert {ask.tcp for ask in asks} == {True, False}
    assert {ask.purpose for ask in asks} == set(AskPurpose) - {AskPurpose.PAIR, AskPurpose.OTHER}


def test_at_most_three_further_names_are_asked_for() -> None:
    assert len({ask.name for ask in ASKS if ask.purpose is AskPurpose.NAMED}) == 3


def test_with_and_without_edns_and_with_mixed_case() -> None:
    cluster = [ask for ask in ASKS if ask.purpose is AskPurpose.CLUSTER and not ask.tcp]
    assert {bool(ask.payload) for ask in cluster} == {True, False}
    assert any(ask.mixed for ask in cluster)


def test_an_upstream_is_asked_for_outside_names_only() -> None:
    asks = asks_for(AskedServer("u", ServerRole.UPSTREAM, "10.0.0.2"), ASKS)
    assert {ask.purpose for ask in asks} == {AskPurpose.OUTSIDE}


def test_a_transport_without_a_port_is_not_asked() -> None:
    assert all(ask.tcp for ask in asks_for(AskedServer("a", ServerRole.POD, "10.0.0.1", udp=0), ASKS))


def test_pairs_go_through_virtual_addresses_only() -> None:
    pairs = {
        role
        for role in ServerRole
        for ask in asks_for(AskedServer("a", role, "10.0.0.1"), ASKS)
        if ask.purpose is AskPurpose.PAIR
    }
    assert pairs == {ServerRole.SERVICE, ServerRole.EXPOSED, ServerRole.CACHE}


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("10.96.0.10", "10.0.96.10.in-addr.arpa"),
        ("fd00::a", "a." + "0." * 29 + "d.f.ip6.arpa".replace("d.f", "0.d.f")[2:]),
    ],
)
def test_reverse_names(address: str, name: str) -> None:
    assert reverse_name(address) == name


@pytest.mark.parametrize(
    ("name", "domain"),
    [
        ("kube-dns.kube-system.svc.cluster.local", "cluster.local"),
        ("Kube-DNS.kube-system.SVC.k8s.example.org.", "k8s.example.org"),
        ("host.example.org", ""),
        ("a.b.svc", ""),
        ("", ""),
    ],
)
def test_the_domain_in_the_name_of_a_service(name: str, domain: str) -> None:
    assert domain_in(name) == domain
