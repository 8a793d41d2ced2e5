from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec
import pytest

from kubesonar.core.diagnosis.consequences import AllLookups, listed, of_absent_members, of_starved_members
from kubesonar.core.diagnosis.evidence import Cell, Lookups
from kubesonar.core.diagnosis.inference.likelihood import Fit
from kubesonar.core.diagnosis.inference.suspects import Suspect
from kubesonar.core.diagnosis.parts.table import PARTS
from kubesonar.core.diagnosis.parts.traversal import Aspect, End, Traversal, Way
from kubesonar.core.diagnosis.population import Population
from kubesonar.model import Finding, Kind, Member, Network, Path
from tests.core.snapshots import snapshot_of

ZONES = {"node-1": "a", "node-2": "b", "node-3": "c"}


def found(part: str, subject: str, fault: str = "loss") -> Finding:
    return Finding(part, subject, fault, 0.0, 0.99, f"{part} of {subject}")


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
        (("pair", "node-1>node-3"), ("pair_port", "node-1>api-server tcp/443")),
        (("pair", "node-3>node-1"), ("zone_target", "a>api-server")),
        (("pair_slow", "node-1>node-3"), ("pair_slow", "node-1>api-server")),
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
        (("pair", "node-1>node-2"), ("pair_port", "node-3>api-server tcp/443")),
        (("pair_port", "node-1>node-2 tcp/7473"), ("pair_port", "node-1>api-server tcp/443")),
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


@pytest.mark.parametrize("fault", ["refused", "silent"])
@pytest.mark.parametrize(
    ("part", "subject", "explains"),
    [
        ("node", "node-1", True),
        ("node_out", "node-1", True),
        ("zone_pair", "a>b", True),
        ("dns_service", "dns-service", True),
        ("dns_server", "dns-1", True),
        ("dns_node", "node-1>dns", True),
        ("service_proxy", "node-1", True),
        ("node", "node-2", False),
        ("dns_node", "node-2>dns", False),
        ("agent_gone", "node-1", False),
        ("dns_upstream", "upstream", False),
    ],
)
def test_a_dns_cache_that_gets_no_answers_itself_answers_wrongly_and_does_answer(
    part: str, subject: str, explains: bool, fault: str
) -> None:
    told = listed([found("dns_cache", "node-1", fault), found(part, subject)], dict, ZONES)
    assert len(told) == (1 if explains and fault == "refused" else 2)


def test_a_way_between_two_of_many_nodes_is_not_the_way_between_their_zones() -> None:
    findings = [found("pair", "node-1>node-3"), found("pair_port", "node-1>api-server tcp/443")]
    assert len(listed(findings, dict, {**ZONES, "node-4": "a"})) == 2
    assert len(listed(findings, dict, {})) == 2


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


def population(
    now: float = 100.0,
    *,
    gone: int = 0,
    anew: int = 0,
    ago: float = 30.0,
    blind: Mapping[str, list[tuple[float, float]]] | None = None,
) -> Population:
    """Six agents in the pod network: the first ones are gone, as announced, and the last ones began that long ago."""
    names = [f"node-{n}-pod" for n in range(6)]
    members = {name: Member(name, f"node-{n}", (f"10.0.0.{n}",), 7473, Network.POD) for n, name in enumerate(names)}
    read = {
        name: snapshot_of(members[name], at=now, started=now - ago if n >= 6 - anew else 1.0)
        for n, name in enumerate(names)
        if n >= gone
    }
    excused = dict.fromkeys(names[:gone], "draining")
    return Population(now, members, frozenset(read), excused, read, dict(blind or {}), {})


EDGES = (10.0, 20.0, 62.0, 120.0)


def suspect(name: str, subject: str, trials: int = 50, bins: int = 3, behind: Sequence[str] = ()) -> Suspect:
    """A part that has failed within so many of the newest bins, asked of servers `behind` a Service if these are."""
    row = next(index for index, part in enumerate(PARTS) if part.name == name)
    target = End("service", behind=tuple(map(End, behind)))
    cell = Cell(Traversal(End("node-5-pod"), target, Kind.HTTP, Path.SERVICE, Way.ROUND, Aspect.REACH), 1, len(EDGES))
    cell.add_good(trials, 0)
    return Suspect((row, subject), Fit(30.0, 0.2, bins, 0, 30.0), None, [0], [cell], [], [], [], 20.0)


@pytest.mark.parametrize(
    ("gone", "anew", "lost", "trials", "excused"),
    [
        (0, 0, 0.2, 50, False),
        (1, 0, 0.2, 50, True),
        (1, 0, 0.8, 50, False),
        (3, 0, 0.8, 50, True),
        (0, 1, 0.2, 50, True),
        (0, 1, 0.8, 50, False),
        (1, 0, 0.4, 20, True),
        (1, 0, 0.4, 200, False),
    ],
)
@pytest.mark.parametrize(("name", "way"), [("service", ""), ("pair_port", "node-5>"), ("zone_target", "a>")])
def test_the_own_service_may_lead_to_agents_that_leave_or_began_anew(
    name: str, way: str, gone: int, anew: int, lost: float, trials: int, excused: bool
) -> None:
    who = population(gone=gone, anew=anew)
    assert of_absent_members(suspect(name, f"{way}service", trials, 3), lost, who, EDGES) is excused
    assert not of_absent_members(suspect(name, f"{way}theirs", trials, 3), lost, who, EDGES)


@pytest.mark.parametrize(
    ("bins", "ago", "excused"), [(2, 30.0, False), (3, 30.0, True), (3, 90.0, False), (4, 90.0, True)]
)
def test_an_agent_explains_failures_that_began_before_it_did(bins: int, ago: float, excused: bool) -> None:
    who = population(200.0, anew=1, ago=ago)
    assert of_absent_members(suspect("service", "service", 50, bins), 0.2, who, EDGES) is excused


@pytest.mark.parametrize(
    ("name", "subject", "behind", "starved"),
    [
        ("target_slow", "node-1-pod", (), True),
        ("target_slow", "node-2-pod", (), False),
        ("target_slow", "node-2-pod", ("node-1-pod", "node-2-pod"), True),
        ("target_slow", "service", ("node-2-pod", "node-3-pod"), False),
        ("pair_slow", "node-1>node-2", (), True),
        ("pair_slow", "node-2>api-server", (), False),
        ("node_slow", "node-1", (), True),
        ("node_slow", "node-2", (), False),
        ("pair", "node-1>node-2", (), False),
    ],
)
def test_an_agent_without_cpu_time_is_not_called_slow(
    name: str, subject: str, behind: tuple[str, ...], starved: bool
) -> None:
    slow = suspect(name, subject, behind=behind)
    often = population(blind={"node-1-pod": [(0.0, 5.0), *((at, at + 2.0) for at in (50.0, 60.0, 70.0, 98.5))]})
    once = population(blind={"node-1-pod": [(0.0, 5.0), (50.0, 52.0)]})
    assert of_starved_members(slow, often, 62.0) is starved
    assert not of_starved_members(slow, once, 62.0)
