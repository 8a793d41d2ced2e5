from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from kubesonar.core.diagnosis.consequences import AllLookups, listed, of_leaving_members
from kubesonar.core.diagnosis.evidence import Lookups
from kubesonar.core.diagnosis.population import Population
from kubesonar.model import Finding, Member, Network

ZONES = {"node-1": "a", "node-2": "b", "node-3": "c"}


def found(part: str, subject: str) -> Finding:
    return Finding(part, subject, "loss", 0.0, 0.99, f"{part} of {subject}")


def lookups(failed: int, total: int) -> Callable[[], AllLookups]:
    asked = Lookups()
    for number in range(total):
        asked.add(float(number), number < failed)
    return lambda: {("node-1-pod", "api-server"): asked}


@pytest.mark.parametrize(
    ("cause", "effect"),
    [
        (("zone_pair", "a>b"), ("zone_target", "a>api-server")),
        (("zone_pair", "b>a"), ("pair_port", "node-1>api-server tcp/443")),
        (("zone_pair_slow", "a>b"), ("pair_slow", "node-1>api-server")),
        (("node_mtu", "node-1"), ("pair_port", "node-1>api-server tcp/443")),
        (("pair", "node-1>node-2"), ("pair_slow", "node-2>node-1")),
        (("node", "node-1"), ("node_slow", "node-1")),
        (("node", "node-1"), ("pair_slow", "node-2>node-1")),
        (("pair_port", "node-1>node-2 tcp/7473"), ("pair_slow", "node-1>node-2")),
        (("dns_node", "node-1>dns"), ("pair_slow", "node-1>coredns-2")),
        (("zone_pair", "a>b"), ("pair_slow", "node-1>node-2")),
        (("zone_pair", "b>a"), ("zone_pair_slow", "a>b")),
        (("dns_server", "coredns-2"), ("pair_slow", "node-1>coredns-2")),
    ],
)
def test_what_follows_is_listed_under_its_cause(cause: tuple[str, str], effect: tuple[str, str]) -> None:
    (only,) = listed([found(*effect), found(*cause)], dict, ZONES)
    assert (only.part, only.subject) == cause
    assert only.because == (f"{effect[0]} of {effect[1]}",)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("zone_pair", "a>b"), ("zone_target", "c>api-server")),
        (("zone_pair", "a>b"), ("pair", "node-1>node-3")),
        (("node", "node-1"), ("api_server", "api-server")),
        (("node_mtu", "node-2"), ("pair_port", "node-1>api-server tcp/443")),
        (("node", "node-1"), ("node_slow", "node-2")),
        (("pair", "node-1>node-2"), ("node_slow", "node-1")),
        (("zone_pair", "a>b"), ("pair_slow", "node-1>node-3")),
        (("dns_node", "node-1>dns"), ("dns_slow", "coredns-2")),
    ],
)
def test_what_does_not_follow_is_told_beside_it(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert len(listed([found(*one), found(*other)], dict, ZONES)) == 2


@pytest.mark.parametrize(("home", "causes"), [("node-2", 1), ("node-3", 2)])
def test_what_a_server_does_not_answer_is_for_want_of_room_on_its_node(home: str, causes: int) -> None:
    server = msgspec.structs.replace(found("dns_server", "coredns-1"), nodes=(home,))
    assert len(listed([server, found("conntrack_full", "node-2")], dict, ZONES)) == causes


def test_names_that_cannot_be_looked_up_are_listed_under_dns() -> None:
    findings = listed([found("node", "node-3"), found("dns_service", "dns-service")], lookups(6, 12), ZONES)
    assert [finding.because for finding in findings] == [
        (),
        ("because of this, 6 of 12 checks of api-server by name fail",),
    ]


def test_one_failed_look_up_in_many_is_chance_and_a_pair_explains_none() -> None:
    assert listed([found("dns_udp", "dns-1")], lookups(1, 100), ZONES)[0].because == ()
    assert listed([found("pair", "node-1>node-2")], lookups(6, 12), ZONES)[0].because == ()


@pytest.mark.parametrize(
    ("left", "lost", "excused"), [(0, 0.2, False), (1, 0.2, True), (1, 0.8, False), (3, 0.8, True)]
)
def test_the_own_service_may_lead_to_agents_that_leave(left: int, lost: float, excused: bool) -> None:
    members = {
        f"node-{n}-pod": Member(f"node-{n}-pod", f"node-{n}", (f"10.0.0.{n}",), 7473, Network.POD) for n in range(6)
    }
    gone = dict.fromkeys(sorted(members)[:left], "draining")
    who = Population(0.0, members, frozenset(members) - gone.keys(), gone, {}, {}, {})
    assert of_leaving_members(("service", "service"), lost, who) is excused
    assert not of_leaving_members(("service", "theirs"), lost, who)
