"""What is checked in a cluster, from what was found there."""

from __future__ import annotations

import msgspec
import pytest

from kubesonar.core.probing.cluster_checks import dependencies
from kubesonar.core.probing.cluster_facts import DnsPod, ServiceEndpoint, Surroundings
from kubesonar.core.probing.cluster_options import (
    ApiServerOptions,
    ClusterDnsOptions,
    ClusterOptions,
    IngressOptions,
    OwnServiceOptions,
)
from kubesonar.model import Check, Kind, Path

POD = Surroundings(
    node="node-1",
    api=ServiceEndpoint("10.96.0.1", 443),
    domain="cluster.local",
    nameservers=("10.96.0.10",),
    dns_pods=(
        DnsPod("coredns-a", "10.1.0.2"),
        DnsPod("coredns-a", "fd00::2"),
        DnsPod("coredns-b", "10.1.0.3", 1053, 0),
    ),
)
DEFAULT = ClusterOptions()


def made(found: Surroundings = POD, options: ClusterOptions = DEFAULT) -> dict[str, Check]:
    checks = dependencies(options, found).checks
    assert len({check.id for check in checks}) == len(checks)
    return {check.id: check for check in checks}


def test_outside_a_cluster_nothing_is_checked_by_itself() -> None:
    outside = Surroundings(node="node-1", nameservers=("192.0.2.53",))
    assert dependencies(DEFAULT, outside) == dependencies(DEFAULT, Surroundings())
    assert not dependencies(DEFAULT, outside).checks
    assert not dependencies(DEFAULT, outside).lost


def test_large_answers_are_asked_for_by_udp_where_a_name_is_given() -> None:
    found = msgspec.structs.replace(POD, nameservers=("10.96.0.10", "169.254.20.10"))
    dns = ClusterDnsOptions(large="big.apps.svc.cluster.local A", expect="NXDOMAIN", question="*.cluster.local A")
    large = {name: check for name, check in made(found, ClusterOptions(dns=dns)).items() if check.is_large}
    assert list(large) == [
        "dns/dns_service/dns-service/large/10.96.0.10",
        "dns/dns_pod/coredns-a/large",
        "dns/dns_pod/coredns-a/large/fd00::2",
        "dns/dns_pod/coredns-b/large",
    ]
    assert {(one.request, one.expect) for one in large.values()} == {("big.apps.svc.cluster.local A large", "")}
    assert large["dns/dns_pod/coredns-b/large"].port == 1053


def test_in_a_pod_the_api_server_and_dns_are_checked_without_being_told() -> None:
    checks = made()
    assert list(checks) == [
        "http/api_direct/api-server",
        "http/api_dns/api-server",
        "dns/dns_service/dns-service/udp/10.96.0.10",
        "dns/dns_service/dns-service/tcp/10.96.0.10",
        "dns/dns_pod/coredns-a/udp",
        "dns/dns_pod/coredns-a/tcp",
        "dns/dns_pod/coredns-a/udp/fd00::2",
        "dns/dns_pod/coredns-a/tcp/fd00::2",
        "dns/dns_pod/coredns-b/udp",
    ]
    assert all(check.period == 10.0 for check in checks.values())


def test_the_api_server_by_address_and_by_absolute_name() -> None:
    checks = made()
    direct, by_name = checks["http/api_direct/api-server"], checks["http/api_dns/api-server"]
    assert (direct.address, direct.request) == ("10.96.0.1", "https://10.96.0.1:443/version")
    assert by_name.address == "kubernetes.default.svc.cluster.local."
    assert by_name.request == "https://kubernetes.default.svc.cluster.local:443/version"
    assert direct.trust == by_name.trust == "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"


def test_ipv6_addresses_stand_in_brackets() -> None:
    found = msgspec.structs.replace(
        POD, api=ServiceEndpoint("fd00:96::1", 6443), service=(ServiceEndpoint("fd00:96::7", 7473),)
    )
    checks = made(found)
    assert checks["http/api_direct/api-server"].request == "https://[fd00:96::1]:6443/version"
    assert checks["http/service/service/v6"].request == "http://[fd00:96::7]:7473/healthz"


def test_dns_is_asked_for_the_api_server_by_udp_and_tcp() -> None:
    checks = made()
    asked = checks["dns/dns_service/dns-service/tcp/10.96.0.10"]
    assert (asked.kind, asked.path, asked.port) == (Kind.DNS, Path.DNS_SERVICE, 53)
    assert asked.request == "kubernetes.default.svc.cluster.local A tcp"
    assert checks["dns/dns_pod/coredns-b/udp"].port == 1053


@pytest.mark.parametrize(
    ("changes", "options", "asked"),
    [
        ({}, {}, "A"),
        ({"api": ServiceEndpoint("fd00:96::1", 443)}, {}, "AAAA"),
        ({"api": ServiceEndpoint("fd00:96::1", 443), "nameservers": ("fd00:96::a",)}, {}, "AAAA"),
        ({"nameservers": ("fd00:96::a",)}, {}, "A"),
        ({"api": ServiceEndpoint("api.example", 6443), "nameservers": ("fd00:96::a",)}, {}, "AAAA"),
        ({"api": ServiceEndpoint("api.example", 6443), "nameservers": ("fd00:96::a", "10.96.0.10")}, {}, "A"),
        ({"api": None, "nameservers": ()}, {"address": ("fd00:96::a",)}, "AAAA"),
        ({"api": ServiceEndpoint("fd00:96::1", 443)}, {"question": "a.example A"}, "A"),
    ],
)
def test_the_default_question_follows_the_api_servers_family(
    changes: dict[str, object], options: dict[str, object], asked: str
) -> None:
    found = msgspec.structs.replace(POD, **changes)
    checks = made(found, ClusterOptions(dns=msgspec.convert(options, ClusterDnsOptions)))
    requests = {check.request for check in checks.values() if check.kind is Kind.DNS}
    assert {request.split()[1] for request in requests} == {asked}


def test_a_cache_on_the_node_is_a_path_of_its_own() -> None:
    found = msgspec.structs.replace(POD, nameservers=("169.254.20.10",), vips=("10.96.0.10",))
    checks = made(found)
    assert checks["dns/dns_node_local/dns-node-local-node-1/udp/169.254.20.10"].target == "dns-node-local-node-1"
    assert "dns/dns_service/dns-service/udp/10.96.0.10" in checks


def test_in_the_host_network_the_nodes_name_servers_are_not_taken_for_the_clusters() -> None:
    found = Surroundings(api=ServiceEndpoint("10.96.0.1", 443), nameservers=("192.0.2.53",))
    result = dependencies(DEFAULT, found)
    assert [check.id for check in result.checks] == ["http/api_direct/api-server"]
    assert [sentence.split(":")[0] for sentence in result.lost] == [
        "the API server is not checked by its name",
        "DNS is not checked",
    ]
    told = dependencies(ClusterOptions(domain="example.org."), msgspec.structs.replace(found, vips=("10.96.0.10",)))
    assert {check.path for check in told.checks} == {Path.API_DIRECT, Path.API_DNS, Path.DNS_SERVICE}
    assert not told.lost
    assert not any(check.address == "192.0.2.53" for check in told.checks)


def test_every_check_can_be_switched_off() -> None:
    off = ClusterOptions(
        api=ApiServerOptions(direct=False, dns=False), dns=ClusterDnsOptions(service=False, pods=False)
    )
    assert not made(POD, off)
    no_tcp = ClusterOptions(dns=ClusterDnsOptions(tcp=False))
    assert not [name for name in made(POD, no_tcp) if "tcp" in name]


def test_service_and_ingress_by_url() -> None:
    options = ClusterOptions(
        service=OwnServiceOptions(url="http://kubesonar.monitoring:7473/healthz"),
        ingress=IngressOptions(url="https://sonar.example.com/healthz", expect="200-399", trust="/ca.pem", period=30.0),
    )
    checks = made(Surroundings(), options)
    assert checks["http/service/service"].path is Path.SERVICE
    ingress = checks["http/ingress/ingress"]
    assert (ingress.path, ingress.expect, ingress.trust, ingress.period) == (Path.INGRESS, "200-399", "/ca.pem", 30.0)


def test_a_service_whose_address_nobody_tells_is_lost() -> None:
    result = dependencies(ClusterOptions(service=OwnServiceOptions(name="kubesonar")), Surroundings())
    assert result.lost == (
        "the Service kubesonar is not checked: the API server does not tell its address (cluster.service.url)",
    )


def test_nothing_is_called_lost_before_the_api_server_has_answered() -> None:
    found = Surroundings(api=ServiceEndpoint("10.96.0.1", 443), complete=False)
    options = ClusterOptions(domain="cluster.local", service=OwnServiceOptions(name="kubesonar"))
    assert not dependencies(options, found).lost
    assert len(dependencies(options, msgspec.structs.replace(found, complete=True)).lost) == 2


def test_no_more_dns_pods_than_the_limit_and_not_the_same_from_every_node() -> None:
    pods = tuple(DnsPod(f"coredns-{number}", f"10.1.0.{number}") for number in range(100))
    options = ClusterOptions(dns=ClusterDnsOptions(limit=5, tcp=False))
    chosen = set()
    for node in ("node-1", "node-2"):
        result = dependencies(options, msgspec.structs.replace(POD, node=node, dns_pods=pods))
        asked = frozenset(check.target for check in result.checks if check.path is Path.DNS_POD)
        assert len(asked) == 5
        assert result.lost == ("95 of 100 DNS pods are not asked from here (cluster.dns.limit)",)
        chosen.add(asked)
    assert len(chosen) == 2


def test_what_the_api_server_did_not_tell_is_passed_on() -> None:
    result = dependencies(DEFAULT, msgspec.structs.replace(POD, lost=("no right to watch endpointslices",)))
    assert result.lost == ("no right to watch endpointslices",)


@pytest.mark.parametrize("question", ["*.default.svc.cluster.local A", "example.org AAAA"])
def test_another_question_and_what_is_well(question: str) -> None:
    options = ClusterOptions(dns=ClusterDnsOptions(question=question, expect="NXDOMAIN"))
    asked = made(POD, options)["dns/dns_pod/coredns-a/udp"]
    assert (asked.request, asked.expect) == (f"{question} udp", "NXDOMAIN")
