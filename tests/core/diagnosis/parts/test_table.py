from __future__ import annotations

from string import Formatter

import pytest

from kubesonar.core.diagnosis.parts.shares import mean_share
from kubesonar.core.diagnosis.parts.table import NAMES, PARTS, crossed, part
from kubesonar.core.diagnosis.parts.traversal import Aspect, End, Traversal, Way
from kubesonar.model import Kind, Network, Path

A = End("node-1-pod", "node-1", "a", Network.POD)
B = End("node-2-pod", "node-2", "b", Network.POD)
HOST_A = End("node-1-host", "node-1", "a", Network.HOST)
HOST_B = End("node-2-host", "node-2", "b", Network.HOST)


def route(
    source: End,
    target: End,
    kind: Kind,
    way: Way = Way.ROUND,
    question: Aspect = Aspect.REACH,
    silent: bool = False,
) -> Traversal:
    path = Path.POD if target.node else Path.API_DIRECT
    return Traversal(source, target, kind, path, way, question, 7473, kind in (Kind.TCP, Kind.HTTP), silent)


def named(crossing: Traversal) -> set[str]:
    """What a route crosses, as "part subject", without what all cross."""
    return {f"{PARTS[index].name} {subject}" for index, subject in crossed(crossing)} - {"network all nodes"}


def test_the_names_the_lab_relies_on() -> None:
    assert set(NAMES) == {
        "node",
        "node_in",
        "node_out",
        "pod_network",
        "pod_network_in",
        "pod_network_out",
        "network",
        "zone",
        "zone_pair",
        "pair",
        "pair_udp",
        "pair_port",
        "pair_mtu",
        "node_family",
        "pod_network_family",
        "pair_family",
        "node_mtu",
        "pod_network_mtu",
        "link_rate",
        "conntrack_full",
        "backlog_full",
        "new_flows",
        "agent_gone",
        "agent_frozen",
        "agent_displaced",
        "dns_udp",
        "dns_tcp",
        "dns_server",
        "api_server",
        "ingress",
        "external",
        "service",
        "service_proxy",
        "dns_large",
        "dns_service",
        "dns_node",
        "dns_cache",
        "dns_upstream",
        "zone_target",
        "node_slow",
        "zone_pair_slow",
        "pair_slow",
        "target_slow",
        "dns_slow",
        "observer",
        "collector_mtu",
    }


def test_one_way_between_hosts() -> None:
    assert named(route(HOST_A, HOST_B, Kind.UDP, Way.FORWARD)) == {
        "node node-1",
        "node node-2",
        "node_out node-1",
        "node_in node-2",
        "zone_pair a>b",
        "pair node-1>node-2",
        "pair_udp node-1>node-2",
    }


def test_the_way_back_is_the_other_direction() -> None:
    back = named(route(HOST_A, HOST_B, Kind.UDP, Way.BACK))
    assert {"node_out node-2", "node_in node-1", "zone_pair b>a", "pair node-2>node-1"} <= back
    assert "pair node-1>node-2" not in back


def test_pod_to_pod_crosses_both_pod_networks_as_well() -> None:
    pods = named(route(A, B, Kind.ICMP, Way.FORWARD))
    assert {"pod_network_out node-1", "pod_network_in node-2", "pod_network node-1", "pod_network node-2"} <= pods
    assert "pair_udp node-1>node-2" not in pods


@pytest.mark.parametrize(
    ("kind", "question", "gone", "frozen"),
    [
        (Kind.UDP, Aspect.REACH, True, True),
        (Kind.HTTP, Aspect.REACH, False, True),
        (Kind.HTTP, Aspect.ANSWER, True, False),
        (Kind.TCP, Aspect.ANSWER, True, False),
        (Kind.ICMP, Aspect.REACH, False, False),
    ],
)
def test_what_an_agent_has_to_do_with(kind: Kind, question: Aspect, gone: bool, frozen: bool) -> None:
    crossing = named(route(A, B, kind, question=question, silent=True))
    assert ("agent_gone node-2-pod" in crossing) is gone
    assert ("agent_frozen node-2-pod" in crossing) is frozen
    heard = named(route(A, B, kind, question=question, silent=False))
    assert not {"agent_gone node-2-pod", "agent_frozen node-2-pod"} & heard


def test_a_refusal_says_nothing_against_the_network() -> None:
    assert named(route(A, B, Kind.TCP, question=Aspect.ANSWER)) == {"pair_port node-1>node-2 tcp/7473"}


def test_big_packets_that_vanish_speak_for_a_small_mtu_and_for_loss() -> None:
    crossing = named(route(A, B, Kind.MTU, Way.FORWARD, Aspect.SIZE))
    assert {"pair_mtu node-1>node-2", "node_mtu node-1", "pod_network_mtu node-2", "pair node-1>node-2"} <= crossing


def test_a_service_is_crossed_with_those_behind_it_each_in_part() -> None:
    servers = (End("dns-1", "node-3", "b"), End("dns-2", "node-4", "b"))
    asked = Traversal(A, End("dns-service", behind=servers), Kind.DNS, Path.DNS_SERVICE, Way.ROUND, Aspect.REACH, 53)
    assert {"dns_server dns-1", "dns_server dns-service", "node node-3", "zone_pair a>b"} <= named(asked)
    for name, subject, share in (
        ("dns_server", "dns-1", 0.5),
        ("dns_server", "dns-service", 1.0),
        ("node", "node-3", 0.5),
        ("node", "node-1", 1.0),
        ("zone_pair", "a>b", 1.0),
        ("pair", "node-1>node-4", 0.5),
    ):
        crosses = part(name).share
        assert crosses is not None
        assert mean_share(crosses(asked, subject)) == share


def test_a_name_that_cannot_be_looked_up_accuses_dns_and_not_what_it_names() -> None:
    asked = Traversal(A, End("names"), Kind.DNS, Path.API_DNS, Way.ROUND, Aspect.RESOLVE)
    crossing = named(asked)
    assert {"dns_service dns-service", "dns_node node-1>dns"} <= crossing
    assert not any(name.startswith(("api_server", "pair ")) for name in crossing)


def test_a_plain_target_has_no_node_but_the_prober_has() -> None:
    crossing = named(route(A, End("api"), Kind.HTTP))
    assert {"api_server api", "pair node-1>api", "node node-1", "pod_network node-1"} <= crossing
    assert not any(name.startswith("zone_pair") or "agent" in name for name in crossing)


def test_a_wide_part_is_likelier_than_a_narrow_one() -> None:
    assert part("node").penalty < part("node_in").penalty < part("pair").penalty < part("pair_udp").penalty


def test_sentences_use_only_known_words() -> None:
    known = {
        "subject",
        "a",
        "b",
        "port",
        "since",
        "loss",
        "agree",
        "address",
        "back",
        "above",
        "vanish",
        "rate",
        "noun",
        "node",
        "be",
        "when",
        "cause",
        "both",
        "gets",
        "cut",
        "ip",
        "delay",
        "said",
        "used",
        "which",
        "or_back",
    }
    for row in PARTS:
        for template in (row.total, row.partial):
            assert {name for _, name, _, _ in Formatter().parse(template) if name} <= known, row.name
        assert row.fault
