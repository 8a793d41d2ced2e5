"""A lab with a DNS Service, caches and an upstream: each is named rightly when it is broken, and its agents are
standpoints of a doctor."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from kubesonar.apps.client import asking
from kubesonar.apps.client.collector_client import CollectorClient
from kubesonar.apps.dns.mesh import MeshStandpoints
from kubesonar.core.remedy.dns_round import DnsServerPod, DnsStandpoint
from kubesonar.core.remedy.quorum import PodHealth, Votes, count_votes
from kubesonar.doctor.repair.facts import DnsFacts
from kubesonar.doctor.repair.rounds import round_of
from tests.lab.inside import needs_nft
from tests.scenarios.running_lab import RunningLab, await_good
from tests.scenarios.verdicts import settle

pytestmark = [pytest.mark.lab, needs_nft]

PATIENCE = 40.0
FAULTS = [
    ("vip node-2", "dns_node", "node-2>dns"),
    ("cache node-3", "dns_cache", "node-3"),
    ("upstream", "dns_upstream", "upstream"),
    ("mtu dns-1>* 1300", "dns_large", "dns-1"),
]


@pytest.fixture(scope="module")
def dns_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningLab]:
    with RunningLab(tmp_path_factory.mktemp("dns"), nodes=3, collectors=1, dns=True) as lab:
        yield lab


@pytest.fixture(autouse=True)
def mended(dns_lab: RunningLab) -> Iterator[None]:
    """After each test nothing is broken, and all is well again before the next."""
    yield
    dns_lab.order("clear")
    await_good(dns_lab)


@pytest.mark.parametrize(("fault", "part", "subject"), FAULTS)
def test_what_stands_between_a_node_and_dns_is_named(dns_lab: RunningLab, fault: str, part: str, subject: str) -> None:
    dns_lab.order(fault)
    settle(dns_lab, frozenset({(part, subject)}))


def test_a_cluster_ip_that_is_dead_on_every_node_is_the_service(dns_lab: RunningLab) -> None:
    for number in (1, 2, 3):
        dns_lab.order(f"vip node-{number}")
    settle(dns_lab, frozenset({("dns_service", "dns-service")}))


def votes(lab: RunningLab) -> Votes:
    """What the agents say together of the DNS servers, taken for pods on no node."""
    facts = DnsFacts(pods=tuple(DnsServerPod(uid=name, name=name) for name in ("dns-1", "dns-2")))
    mesh = MeshStandpoints(CollectorClient(lab.collector("collector-1"), "", "", 2.0))
    edges = asking.run_async(mesh.edges(facts.pods or ()))
    return count_votes(round_of(facts, DnsStandpoint(name="node-1-pod", node="node-1"), [], edges, time.time()), 3)


def test_agents_are_standpoints_one_on_each_node(dns_lab: RunningLab) -> None:
    dns_lab.order("dns dns-1 udp")
    end = time.monotonic() + PATIENCE
    while (found := votes(dns_lab)).having(PodHealth.SICK) != ["dns-1"]:
        assert time.monotonic() < end, found
        time.sleep(0.5)
    assert (found.pods["dns-1"].against, found.pods["dns-1"].of) == (3, 3)
    assert found.having(PodHealth.ANSWERING) == ["dns-2"]


def test_a_collector_that_is_silent_has_no_standpoints() -> None:
    mesh = MeshStandpoints(CollectorClient("http://127.0.0.1:9", "", "", 0.5))
    assert asking.run_async(mesh.edges([DnsServerPod(uid="dns-1", name="dns-1")])) == []
