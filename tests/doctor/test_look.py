"""A look at a whole cluster: what is found, which standpoint is taken, what is asked and what is said of it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kubesonar.core.dns.message import Rcode, encode_answer
from kubesonar.core.dns_check.questions import AskPurpose, ServerRole
from kubesonar.core.dns_check.results import DnsLook, DnsOutcome
from kubesonar.core.dns_check.verdict import judge_look
from kubesonar.core.probing.resolv_conf import ResolvConf, parse
from kubesonar.doctor.direct import AskFailed
from kubesonar.doctor.dns_system import DnsSystem, find_dns
from kubesonar.doctor.look import Looker, LookOptions
from kubesonar.doctor.servers import DnsTarget
from kubesonar.doctor.vantage import servers_from
from kubesonar.kube.auth.loading_rules import from_kubeconfig
from kubesonar.kube.client import Client
from kubesonar.model import Health
from kubesonar.net.clock import SystemClock
from tests.doctor import dns_server
from tests.doctor.cluster import DnsCluster, corefile, dns_cluster, endpoints, service
from tests.doctor.dns_server import VIP, DnsServerDouble
from tests.doctor.looking import POD_CONF, look_at

NODE = "127.0.0.20"


def slow(server: DnsServerDouble) -> None:
    server.delay = 0.6


def truncating(server: DnsServerDouble) -> None:
    server.udp = lambda question: encode_answer(question, Rcode.NOERROR, [], limit=0)


def mute_about_made_up_names(server: DnsServerDouble) -> None:
    """As a cache in front of a dead server."""
    server.udp = lambda question: None if len(question.name.split(".")[0]) == 13 else dns_server.well(question)


def names(look: DnsLook, role: ServerRole) -> list[str]:
    return list(dict.fromkeys(one.server.name for one in look.results if one.server.role is role))


def purposes(look: DnsLook) -> set[AskPurpose]:
    return {one.ask.purpose for one in look.results}


def test_in_the_cluster_every_address_is_asked_directly(tmp_path: Path) -> None:
    with dns_cluster() as cluster:
        look = look_at(cluster, tmp_path, inside=True)
    assert (look.vantage, look.why) == (1, "this is a pod of the cluster")
    assert names(look, ServerRole.SERVICE) == ["kube-dns"]
    assert names(look, ServerRole.POD) == ["coredns-1", "coredns-2"]
    assert judge_look(look).health is Health.GOOD
    assert look.unknown == ()
    assert look.search
    assert look.search.tries == 4


def test_in_the_cluster_the_standpoint_stays_when_nothing_answers(tmp_path: Path) -> None:
    with dns_cluster() as cluster:
        for server in cluster.servers.values():
            server.udp = server.tcp = dns_server.silent
        look = look_at(cluster, tmp_path, inside=True, timeout=0.2)
    assert look.vantage == 1
    assert [one.part for one in judge_look(look).findings][:1] == ["way"]


def test_outside_where_the_addresses_are_reached(tmp_path: Path) -> None:
    with dns_cluster() as cluster:
        look = look_at(cluster, tmp_path)
    assert (look.vantage, look.why) == (1, "kube-dns answers from here")
    assert look.search is None


def exposed(cluster: DnsCluster, **spec: Any) -> None:
    """The addresses inside are not reached from here."""
    cluster.api.put("services", service(cluster.port, **spec))
    for address in (VIP, "127.0.0.11", "127.0.0.12"):
        cluster.servers[address].udp = cluster.servers[address].tcp = dns_server.silent


def node_port(cluster: DnsCluster) -> None:
    exposed(cluster, type="NodePort", node_port=cluster.port, node_port_tcp=cluster.port)
    addresses = [{"type": "Hostname", "address": "node-1"}, {"type": "InternalIP", "address": NODE}]
    cluster.api.put("nodes", {"metadata": {"name": "node-1"}, "status": {"addresses": addresses}})


def external_ip(cluster: DnsCluster) -> None:
    exposed(cluster, externalIPs=[NODE])


def balancer(cluster: DnsCluster) -> None:
    """A Service of its own, which selects the same pods by fewer labels."""
    exposed(cluster, selector={"k8s-app": "kube-dns", "tier": "dns"})
    tree = service(cluster.port, "dns-outside", "10.96.0.77", type="LoadBalancer")
    tree["metadata"]["labels"] = {}
    cluster.api.put("services", tree | {"status": {"loadBalancer": {"ingress": [{"hostname": "x"}, {"ip": NODE}]}}})


@pytest.mark.parametrize("expose", [node_port, external_ip, balancer])
def test_outside_where_dns_is_exposed(expose: Callable[[DnsCluster], None], tmp_path: Path) -> None:
    with dns_cluster(NODE) as cluster:
        expose(cluster)
        look = look_at(cluster, tmp_path)
    assert look.vantage == 2
    assert "not 1: no address inside the cluster answers from here" in look.why
    assert {one.server.address for one in look.results} == {NODE}
    verdict = judge_look(look)
    assert verdict.health is Health.GOOD
    assert "not asked one by one" in verdict.unknown[-1]


def test_exposed_and_deaf_by_udp(tmp_path: Path) -> None:
    with dns_cluster(NODE) as cluster:
        external_ip(cluster)
        cluster.servers[NODE].udp = dns_server.silent
        look = look_at(cluster, tmp_path, target=DnsTarget(domain="cluster.local"))
    assert [(one.part, one.fault) for one in judge_look(look).findings] == [("exposed", "tcp_only")]


def test_exposed_addresses_are_asked_as_the_last_resort(tmp_path: Path) -> None:
    with dns_cluster(NODE) as cluster:
        external_ip(cluster)
        cluster.servers[NODE].udp = cluster.servers[NODE].tcp = dns_server.silent
        look = look_at(cluster, tmp_path, timeout=0.2)
    assert look.vantage == 2
    assert judge_look(look).health is Health.BAD


def test_a_standpoint_that_cannot_be_taken_says_why(tmp_path: Path) -> None:
    with dns_cluster() as cluster, pytest.raises(AskFailed, match="no NodePort, load balancer or external IP"):
        look_at(cluster, tmp_path, vantage=2)


def test_the_standpoint_that_is_asked_for_is_taken(tmp_path: Path) -> None:
    with dns_cluster(NODE) as cluster:
        cluster.api.put("services", service(cluster.port, externalIPs=[NODE]))
        assert look_at(cluster, tmp_path, vantage=2, inside=True).vantage == 2


def test_the_domain_is_found_by_a_reverse_name(tmp_path: Path) -> None:
    with dns_cluster() as cluster:
        look = look_at(cluster, tmp_path)
        assert all(".cluster.local" in one.ask.name for one in look.results if one.ask.purpose is AskPurpose.CLUSTER)
        assert look.unknown == ()
        cluster.api.put("configmaps", corefile("kubernetes k8s.example {\n}\n"))
        look = look_at(cluster, tmp_path)
    assert {one.ask.name for one in look.results if one.ask.purpose is AskPurpose.CLUSTER} == {
        "kubernetes.default.svc.k8s.example"
    }


@pytest.mark.parametrize("zone", ["a..b", "x" * 64, "é.local", "y." * 130])
def test_a_domain_that_is_no_name_is_passed_over(zone: str, tmp_path: Path) -> None:
    with dns_cluster() as cluster:
        cluster.api.put("configmaps", corefile(f"kubernetes {zone} {{\n}}\n"))
        look = look_at(cluster, tmp_path)
    assert {one.outcome for one in look.results} == {DnsOutcome.GOOD}


def test_upstreams_of_the_corefile_are_asked_for_outside_names(tmp_path: Path) -> None:
    with dns_cluster(NODE) as cluster:
        cluster.api.put("configmaps", corefile(f"forward . {NODE}:{cluster.port}\n"))
        look = look_at(cluster, tmp_path)
    assert {one.ask.purpose for one in look.results if one.server.role is ServerRole.UPSTREAM} == {AskPurpose.OUTSIDE}


@pytest.mark.parametrize(
    ("conf", "inside", "asked"),
    [
        ("nameserver 127.0.0.99\n", True, True),
        ("nameserver 127.0.0.99\n", False, False),
        ("search svc.cluster.local\nnameserver 127.0.0.99\n", True, False),
        ("nameserver resolver\n", True, False),
    ],
)
def test_upstreams_of_nodes_are_those_of_a_pod_with_its_nodes_resolver(
    conf: str, inside: bool, asked: bool, tmp_path: Path
) -> None:
    with dns_cluster() as cluster:
        cluster.api.put("configmaps", corefile("forward . /etc/resolv.conf\n"))
        look = look_at(cluster, tmp_path, inside=inside, conf=parse(conf))
    assert ("127.0.0.99" in {one.server.address for one in look.results}) is asked
    assert any("each node's resolv.conf" in line for line in look.unknown) is not asked


def test_a_lame_upstream_is_told_apart_from_the_clusters_dns(tmp_path: Path) -> None:
    with dns_cluster() as cluster:
        for server in cluster.servers.values():
            server.udp = server.tcp = dns_server.lame_upstream
        verdict = judge_look(look_at(cluster, tmp_path))
    assert [one.part for one in verdict.findings] == ["upstream"]


def test_headless_names_and_large_answers_are_found(tmp_path: Path) -> None:
    with dns_cluster() as cluster:
        cluster.api.put("services", service(cluster.port, "db", "None", clusterIPs=["None"], selector={"app": "db"}))
        many = endpoints(5432, *(f"10.1.0.{n}" for n in range(1, 41)))
        many["metadata"] |= {"name": "db-a", "labels": {"kubernetes.io/service-name": "db"}}
        cluster.api.put("endpointslices", many)
        look = look_at(cluster, tmp_path, inside=True)
    assert purposes(look) == set(AskPurpose) - {AskPurpose.OTHER, AskPurpose.NAMED}
    assert {one.outcome for one in look.results} == {DnsOutcome.GOOD}


def test_a_pod_that_is_not_ready_is_not_asked(tmp_path: Path) -> None:
    with dns_cluster() as cluster:
        cluster.api.put("endpointslices", endpoints(cluster.port, "127.0.0.11"))
        gone = endpoints(cluster.port, "127.0.0.12", ready=False)
        gone["metadata"]["name"] = "kube-dns-b"
        cluster.api.put("endpointslices", gone)
        look = look_at(cluster, tmp_path)
    assert names(look, ServerRole.POD) == ["coredns-1"]
    assert look.unknown == ("coredns-2: not ready or going, so not asked",)


def test_a_service_of_another_name_namespace_and_port(tmp_path: Path) -> None:
    with dns_cluster() as cluster:
        tree = service(cluster.port, "rke2-coredns")
        tree["metadata"] |= {"namespace": "dns", "labels": {}}
        tree["spec"]["ports"] += [{"name": "other", "port": 5353, "protocol": "UDP"}]
        slices = endpoints(cluster.port)
        slices["metadata"] |= {"namespace": "dns", "labels": {"kubernetes.io/service-name": "rke2-coredns"}}
        cluster.api.put("services", tree)
        cluster.api.put("endpointslices", slices)
        cluster.api.delete("services", "kube-dns", "kube-system")
        target = DnsTarget(namespace="dns", name="rke2-coredns", port=cluster.port)
        look = look_at(cluster, tmp_path, target=target)
    assert names(look, ServerRole.SERVICE) == ["rke2-coredns"]
    assert names(look, ServerRole.POD) == ["coredns-1", "coredns-2"]


def test_a_service_with_another_name_is_found_by_its_label(tmp_path: Path) -> None:
    with dns_cluster() as cluster:
        cluster.api.delete("services", "kube-dns", "kube-system")
        cluster.api.put("services", service(cluster.port, "coredns"))
        slices = endpoints(cluster.port)
        slices["metadata"]["labels"] = {"kubernetes.io/service-name": "coredns"}
        cluster.api.put("endpointslices", slices)
        look = look_at(cluster, tmp_path)
        named = look_at(cluster, tmp_path, target=DnsTarget(name="other"))
    assert names(look, ServerRole.SERVICE) == names(named, ServerRole.SERVICE) == ["coredns"]
    assert look.unknown == ()
    assert named.unknown == ("there is no Service kube-system/other: coredns is asked, by its label",)


def test_caches_on_the_node_are_found_by_the_resolver_and_by_their_pods(tmp_path: Path) -> None:
    """They are not asked here: a link-local address is of this machine's own network."""
    conf = parse("search svc.cluster.local\nnameserver 169.254.20.10\n")
    labels = {"k8s-app": "node-local-dns"}
    pod = {"metadata": {"name": "node-local-dns-a", "namespace": "kube-system", "labels": labels}}
    args = ["-localip=169.254.25.10,10.96.0.10", "-conf", "/etc/Corefile"]

    async def run(conf: ResolvConf) -> DnsSystem:
        client = Client(from_kubeconfig(cluster.kubeconfig(tmp_path)))
        try:
            return await find_dns(client, DnsTarget(), conf, inside=True, exposed=False)
        finally:
            client.close()

    with dns_cluster() as cluster:
        cluster.api.put("pods", pod | {"spec": {"containers": [{"image": "x", "args": args}]}})
        system = asyncio.run(run(conf))
        plain = asyncio.run(run(parse("nameserver 169.254.169.253\n")))
    assert [one.address for one in system.caches] == ["169.254.20.10", "169.254.25.10"]
    assert [one.address for one in plain.caches] == ["169.254.25.10"], "the resolver of a node is no cache of DNS"
    assert set(system.caches) <= set(servers_from(1, system, inside=True))
    assert not set(system.caches) & set(servers_from(1, system, inside=False))


def test_further_names_are_asked_for(tmp_path: Path) -> None:
    with dns_cluster() as cluster:
        verdict = judge_look(look_at(cluster, tmp_path, also=("db.kube-system.svc.cluster.local", "no.cluster.local")))
    assert [(one.part, one.fault) for one in verdict.findings] == [("names", "named")]
    assert "for no.cluster.local" in verdict.sentence


def test_while_the_api_server_is_away_what_it_said_last_is_asked(tmp_path: Path) -> None:
    async def run() -> list[DnsLook]:
        client = Client(from_kubeconfig(cluster.kubeconfig(tmp_path)))
        options, rng = LookOptions(timeout=1.0), random.Random(2)
        looker = Looker(client, options, POD_CONF, inside=True, clock=SystemClock(), rng=rng)
        try:
            first = await looker.look()
            cluster.api.stop()
            cluster.pods[0].udp = dns_server.silent
            return [first, await looker.look()]
        finally:
            await looker.close()

    with dns_cluster() as cluster:
        first, second = asyncio.run(run())
        cluster.api.start()
    assert first.unknown == ()
    assert second.unknown == ("the API server does not answer: what it said before is used",)
    assert judge_look(second).findings[0].subject == "coredns-1"


@pytest.mark.parametrize(
    ("make_sick", "faults"),
    [(slow, ["slow"]), (truncating, ["wrong_answer"]), (mute_about_made_up_names, ["partly"])],
)
def test_servers_that_are_slow_or_say_half(
    make_sick: Callable[[DnsServerDouble], None], faults: list[str], tmp_path: Path
) -> None:
    with dns_cluster() as cluster:
        make_sick(cluster.pods[1])
        verdict = judge_look(look_at(cluster, tmp_path, timeout=2.0))
    slow_here = {"slow", "lossy"} - {*faults}  # as any server is on a busy machine
    told = [(one.subject, one.fault) for one in verdict.findings if one.fault not in slow_here]
    assert ("coredns-2", faults[0]) in told and {fault for _, fault in told} == {*faults}


@pytest.mark.parametrize(
    ("verb", "resource", "rule"),
    [
        ("list", "services", 'namespace kube-system with {apiGroups: [""], resources: [services], verbs: [list]}'),
        ("list", "endpointslices", '{apiGroups: ["discovery.k8s.io"], resources: [endpointslices], verbs: [list]}'),
        ("get", "configmaps", "resources: [configmaps], resourceNames: [coredns], verbs: [get]}"),
        ("get", "services", "namespace default with"),
    ],
)
def test_a_missing_right_is_named_with_the_rule_that_grants_it(
    verb: str, resource: str, rule: str, tmp_path: Path
) -> None:
    with dns_cluster() as cluster:
        cluster.api.refuse(verb, resource)
        look = look_at(cluster, tmp_path, inside=True)
    assert rule in look.unknown[0]
    assert look.results


def test_without_any_right_the_resolvers_own_server_is_asked(tmp_path: Path) -> None:
    with dns_cluster() as cluster:
        for resource in ("services", "endpointslices", "configmaps", "pods"):
            cluster.api.refuse("*", resource)
        look = look_at(cluster, tmp_path, inside=True, target=DnsTarget(port=cluster.port))
    assert {one.server.address for one in look.results} == {VIP}
    assert judge_look(look).health is Health.GOOD
