"""Each fault of the lab, simulated packet by packet: the right part is named, soon, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

import msgspec
import pytest

from kubesonar.core.diagnosis.joining.join import basis
from kubesonar.core.diagnosis.verdict import judge, verdict_on
from kubesonar.model import Fault, Health, Kind, Network, Snapshot, State, Trouble, Verdict
from tests.core.mesh import OWN_SERVICE, PLAIN, START, Mesh

ON, OFF, END = 11.0, 25.0, 35.5
Parts = set[tuple[str, str]]


def clock(at: float) -> str:
    """Seconds since the mesh started, as tests read them."""
    return f"{at - START:.0f}"


def verdict(mesh: Mesh, after: float) -> Verdict:
    """The verdict after so many seconds."""
    return judge(*mesh.snapshots(after), clock)


def parts(found: Verdict) -> Parts:
    """Part and subject of each finding."""
    return {(finding.part, finding.subject) for finding in found.findings}


def cut(mesh: Mesh) -> None:
    mesh.cut("node-3", ON, OFF)


def drop(mesh: Mesh) -> None:
    mesh.drop("node-1", "node-2", 1, ON, OFF)


def receives_nothing(mesh: Mesh) -> None:
    mesh.drop("*", "node-3", 1, ON, OFF)


def sends_nothing(mesh: Mesh) -> None:
    mesh.drop("node-3", "*", 1, ON, OFF)


def half(mesh: Mesh) -> None:
    mesh.drop("node-1", "node-2", 0.5, ON, OFF)


def udp(mesh: Mesh) -> None:
    mesh.drop("node-1", "node-2", 1, ON, OFF, proto="udp")


def port(mesh: Mesh) -> None:
    mesh.drop("node-1", "node-2", 1, ON, OFF, proto="tcp", port=7473)


def api_from_one(mesh: Mesh) -> None:
    mesh.drop("node-1", "api", 1, ON, OFF, proto="tcp", port=6443)


def api_from_all(mesh: Mesh) -> None:
    mesh.drop("*", "api", 1, ON, OFF, proto="tcp", port=6443)


def ingress(mesh: Mesh) -> None:
    mesh.drop("*", "ingress", 1, ON, OFF)


def podnet(mesh: Mesh) -> None:
    mesh.cut("node-3", ON, OFF, network=Network.POD)


def kill(mesh: Mesh) -> None:
    mesh.stop("node-3", mesh.gone, ON, OFF)


def pause(mesh: Mesh) -> None:
    mesh.stop("node-3", mesh.frozen, ON, OFF)


def dns_udp(mesh: Mesh) -> None:
    mesh.drop("*", "dns-1", 1, ON, OFF, proto="udp")


def dns_tcp(mesh: Mesh) -> None:
    mesh.drop("*", "dns-1", 1, ON, OFF, proto="tcp")


def dns_dead(mesh: Mesh) -> None:
    mesh.drop("*", "dns-1", 1, ON, OFF)


def dns_refuses(mesh: Mesh) -> None:
    mesh.refusing["dns-1"] = (START + ON, START + OFF)


def dns_fails(mesh: Mesh) -> None:
    mesh.failing["dns-1"] = (START + ON, START + OFF)


def zone(mesh: Mesh) -> None:
    for source in (1, 2, 3):
        for target in (4, 5):
            mesh.drop(f"node-{source}", f"node-{target}", 1, ON, OFF)


HARD: list[tuple[Callable[[Mesh], None], str, str, str]] = [
    (cut, "node", "node-3", "node-3 is cut off: nothing gets in or out since 11; 8 of 8 observers agree"),
    (drop, "pair", "node-1>node-2", "nothing gets from node-1 to node-2 since 11; the way back works"),
    (receives_nothing, "node_in", "node-3", "node-3 receives nothing from anyone since 11; 8 of 8 observers agree"),
    (sends_nothing, "node_out", "node-3", "nothing that node-3 sends arrives anywhere since 11"),
    (half, "pair", "node-1>node-2", "node-1 > node-2 loses"),
    (udp, "pair_udp", "node-1>node-2", "no UDP gets from node-1 to node-2 since 11; TCP and ICMP are well"),
    (port, "pair_port", "node-1>node-2 tcp/7473", "node-1 gets no answer from node-2 on tcp/7473 since 11"),
    (api_from_one, "pair_port", "node-1>api tcp/6443", "node-1 gets no answer from api on tcp/6443 since 11"),
    (api_from_all, "api_server", "api", "the API server api does not answer since 11; 10 of 10 observers agree"),
    (ingress, "ingress", "ingress", "the ingress ingress does not answer since 11; 10 of 10 observers agree"),
    (
        podnet,
        "pod_network",
        "node-3",
        "the pod network of node-3 is cut off: nothing gets in or out since 11, its host answers",
    ),
    (kill, "agent_gone", "node-3", "the agents on node-3 are gone, its host answers"),
    (dns_udp, "dns_udp", "dns-1", "dns-1 is deaf by UDP and answers by TCP since 11"),
    (dns_tcp, "dns_tcp", "dns-1", "dns-1 is deaf by TCP and answers by UDP since 11"),
    (dns_dead, "dns_server", "dns-1", "dns-1 answers neither by UDP nor by TCP since 11"),
    (dns_refuses, "dns_server", "dns-1", "dns-1 refuses or answers wrongly since 11"),
    (dns_fails, "dns_server", "dns-1", "dns-1 refuses or answers wrongly since 11"),
    (zone, "zone_pair", "a>b", "nothing gets from zone a to zone b since 11"),
]


@pytest.mark.parametrize(("fault", "part", "subject", "sentence"), HARD, ids=[row[0].__name__ for row in HARD])
def test_a_hard_fault_is_named_within_ten_seconds_and_only_while_it_lasts(
    fault: Callable[[Mesh], None], part: str, subject: str, sentence: str
) -> None:
    mesh = Mesh(seed=3, background=1e-4)
    fault(mesh)
    mesh.run(END)
    want = {(part, subject)}
    soon = 13 if fault is half else 10  # a burst of loss takes no packets for as long, but some
    assert verdict(mesh, ON).verdict is Health.GOOD
    for after in (1, 2, 3, 4, 6, 10, 13):
        found = verdict(mesh, ON + after)
        assert parts(found) <= want, after
        if after >= soon:
            assert parts(found) == want, after
            assert found.sentence.startswith(sentence) or "loses" in sentence
    for after in (1, 2, 3, 5, 8):
        assert parts(verdict(mesh, OFF + after)) <= want, after
    assert verdict(mesh, OFF + 10).findings == ()
    assert verdict(mesh, END).verdict is Health.GOOD


@pytest.mark.parametrize(
    ("target", "called", "said"),
    [
        ("ingress", "the ingress ingress", "status 504 instead of 200"),
        ("api", "the API server api", "certificate has expired"),
        ("dns-1", "dns-1", "SERVFAIL instead of NOERROR"),
    ],
)
def test_what_answers_wrongly_is_told_with_what_it_says(target: str, called: str, said: str) -> None:
    mesh = Mesh(seed=3, background=1e-4)
    mesh.failing[target] = (START + ON, START + OFF)
    snapshots, unread, now = mesh.run(OFF).snapshots(OFF)
    rare = [_answered(snapshot, "reset by peer") for snapshot in snapshots[:3]]
    found = judge(rare + [_answered(snapshot, said) for snapshot in snapshots[3:]], unread, now, clock)
    assert found.sentence.startswith(f"{called} refuses or answers wrongly ({said}) since 11")


def _answered(snapshot: Snapshot, detail: str) -> Snapshot:
    """The snapshot of an agent that kept what was wrong with answers."""
    edges = [
        msgspec.structs.replace(edge, latest=msgspec.structs.replace(edge.latest, detail=detail))
        if edge.latest.fault is Fault.WRONG_ANSWER
        else edge
        for edge in snapshot.edges
    ]
    return msgspec.structs.replace(snapshot, edges=tuple(edges))


@pytest.mark.parametrize(("share", "within"), [(0.5, 14.0), (0.3, 14.0), (0.1, 15.0), (0.05, 60.0), (0.02, 60.0)])
@pytest.mark.parametrize("seed", range(2))
def test_loss_on_a_pair_is_found_and_measured(share: float, within: float, seed: int) -> None:
    mesh = Mesh(seed=seed, background=1e-4).drop("node-1", "node-2", share, ON).run(ON + within)
    found = verdict(mesh, ON + within)
    assert parts(found) == {("pair", "node-1>node-2")}
    assert found.sentence.startswith("node-1 > node-2 loses ")
    measured = float(found.sentence.split("loses ")[1].split(" ")[0]) / 100
    assert share / 2 < measured < share * 2
    since = found.findings[0].since
    assert since is not None
    assert -1 <= since - START - ON < 5


@pytest.mark.parametrize(
    ("source", "target", "only"),
    [
        ("node-1", "node-2", {}),
        ("node-1", "*", {}),
        ("*", "node-1", {}),
        ("node-1", "*", {"network": Network.POD}),
    ],
    ids=["pair", "out", "in", "pod network out"],
)
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in (1, 2))])
def test_a_burst_of_eight_seconds_in_which_half_is_lost_is_no_finding(
    source: str, target: str, only: dict[str, object], seed: int
) -> None:
    mesh = Mesh(seed=seed).drop(source, target, 0.5, ON, ON + 8, **only).run(ON + 14)
    assert {after: said for after in range(15) if (said := parts(verdict(mesh, ON + after)))} == {}


def others_had_bursts(seed: int) -> Mesh:
    mesh = Mesh(seed=seed, plain=()).drop("node-2", "node-3", 0.5, 1, 3.5).drop("node-3", "node-4", 0.5, 4, 6)
    return mesh.drop("node-4", "node-5", 0.5, 6, 9)


@pytest.mark.parametrize("target", ["node-2", "*"])
def test_two_bursts_of_one_part_are_no_long_one_where_others_had_bursts(target: str) -> None:
    mesh = others_had_bursts(1).drop("node-1", target, 0.5, ON, ON + 5).drop("node-1", target, 0.5, ON + 19, ON + 24)
    mesh.run(ON + 26)
    assert [after for after in (23, 24, 25) if verdict(mesh, ON + after).findings] == []


def test_a_burst_of_another_node_between_two_of_one_does_not_make_one_of_them() -> None:
    mesh = Mesh(seed=2, plain=()).drop("node-4", "*", 0.5, 5, 10).drop("node-4", "*", 0.5, 15, 20)
    mesh.drop("*", "node-3", 0.5, 6, 12).run(23)
    assert [after for after in (19, 20, 21, 22) if verdict(mesh, after).findings] == []


@pytest.mark.parametrize(
    ("node", "pair"), [(("node-1", "*"), ("node-1", "node-2")), (("*", "node-1"), ("node-3", "node-1"))]
)
@pytest.mark.parametrize("pause", [0.0, 3.5])
def test_a_burst_of_a_node_and_then_one_of_a_single_pair_of_it_are_no_long_one(
    node: tuple[str, str], pair: tuple[str, str], pause: float
) -> None:
    mesh = Mesh(plain=()).drop(*node, 0.5, ON, ON + 5).drop(*pair, 0.5, ON + 5 + pause, ON + 10 + pause).run(ON + 15)
    assert {after: said for after in (11, 12, 14, 15) if (said := parts(verdict(mesh, ON + after)))} == {}


@pytest.mark.parametrize(("source", "target"), [("node-1", "node-2"), ("node-1", "*")], ids=["pair", "node"])
@pytest.mark.parametrize("seed", range(2))
def test_where_others_had_bursts_a_longer_one_is_no_finding(source: str, target: str, seed: int) -> None:
    mesh = others_had_bursts(seed).drop(source, target, 0.5, ON).run(ON + 26)
    assert [after for after in (10, 12, 15, 18) if verdict(mesh, ON + after).findings] == []
    assert verdict(mesh, ON + 25).findings != ()


SHORT_BURSTS = [1.0 + 4.0 * number for number in range(8)]
"""When bursts of a second begin; the last ends with the 30th second."""
SELDOM = {Kind.UDP: 1.0, Kind.TCP: 5.0, Kind.HTTP: 5.0, Kind.ICMP: 2.5, Kind.MTU: 60.0, Kind.DNS: 5.0}
"""Seconds between two probes of a kind, as agents ask that are in doubt."""


@pytest.mark.parametrize(
    ("source", "target", "only", "part"),
    [
        ("node-1", "node-2", {}, ("pair", "node-1>node-2")),
        ("node-1", "*", {}, ("node_out", "node-1")),
        ("*", "node-1", {"network": Network.POD}, ("pod_network_in", "node-1")),
    ],
    ids=["pair", "out", "pod network in"],
)
def test_what_loses_packets_in_bursts_again_and_again_is_told_in_its_pauses_too_and_not_once_it_is_well(
    source: str, target: str, only: dict[str, object], part: tuple[str, str]
) -> None:
    mesh = Mesh(nodes=4, plain=(), period=SELDOM)
    for burst in SHORT_BURSTS:
        mesh.drop(source, target, 0.8, burst, burst + 1, **only)
    mesh.run(42)
    assert [parts(verdict(mesh, after)) for after in (28, 29, 30, 31, 32, 33)] == [{part}] * 6
    assert [after for after in (38, 40, 42) if verdict(mesh, after).findings] == []


def test_what_came_and_went_is_not_told_beside_a_new_fault_that_crosses_it() -> None:
    mesh = Mesh(nodes=4, plain=(), period=SELDOM)
    for burst in SHORT_BURSTS:
        mesh.drop("node-1", "*", 0.8, burst, burst + 1)
    mesh.drop("node-1", "node-2", 1.0, 42).drop("node-4", "*", 1.0, 42).run(56)
    told = [parts(verdict(mesh, after)) for after in range(43, 57, 2)]
    assert {named for each in told for named in each} == {("pair", "node-1>node-2"), ("node_out", "node-4")}


def test_cut_and_loss_together() -> None:
    mesh = Mesh(seed=5).cut("node-3", ON).drop("node-1", "node-2", 0.1, ON).run(30)
    found = verdict(mesh, 30)
    assert [finding.part for finding in found.findings] == ["node", "pair"]
    assert found.sentence.endswith("(and 1 more)")
    assert parts(found) == {("node", "node-3"), ("pair", "node-1>node-2")}


def test_a_sick_pod_network_and_a_small_mtu_together() -> None:
    mesh = Mesh(seed=5).cut("node-3", ON, network=Network.POD).mtu("node-1", "node-2", 1300).run(25)
    assert parts(verdict(mesh, 25)) == {("pod_network", "node-3"), ("pair_mtu", "node-1>node-2")}


@pytest.mark.parametrize("seed", range(3))
def test_what_is_over_is_not_taken_for_what_lasts(seed: int) -> None:
    mesh = Mesh(seed=seed).drop("node-1", "node-4", 1, 20, 26).drop("node-4", "node-1", 1, 30, proto="udp").run(39)
    for after in (35, 37):
        assert parts(verdict(mesh, after)) <= {("pair_udp", "node-4>node-1")}, after
    assert parts(verdict(mesh, 39)) == {("pair_udp", "node-4>node-1")}


@pytest.mark.parametrize(
    ("network", "where"), [(None, ""), (Network.POD, " in the pod network only")], ids=["both", "pod"]
)
def test_big_packets_that_vanish(network: Network | None, where: str) -> None:
    mesh = Mesh(seed=2).mtu("node-1", "node-2", 1300, **({"network": network} if network else {})).run(12)
    found = verdict(mesh, 12)
    assert parts(found) == {("pair_mtu", "node-1>node-2")}
    expected = f"packets above 1,300 bytes vanish silently from node-1 to node-2{where} (smaller ones pass)"
    assert found.sentence == expected


@pytest.mark.parametrize(
    ("ways", "where"),
    [
        ((("*", "node-3"),), "into node-3"),
        ((("node-3", "*"),), "out of node-3"),
        ((("*", "node-3"), ("node-3", "*")), "in or out of node-3"),
    ],
)
def test_big_packets_that_vanish_at_a_node_whichever_way(ways: tuple[tuple[str, str], ...], where: str) -> None:
    mesh = Mesh(seed=2)
    for way in ways:
        mesh = mesh.mtu(*way, 1300)
    found = verdict(mesh.run(12), 12)
    assert parts(found) == {("node_mtu", "node-3")}
    assert found.sentence == f"packets above 1,300 bytes vanish silently {where} (smaller ones pass)"


@pytest.mark.parametrize("read", [True, False])
@pytest.mark.parametrize(("share", "after"), [(1.0, 20), (0.3, 30)])
@pytest.mark.parametrize("nodes", [3, 5])
def test_new_flows_that_fail_at_a_node_are_one_finding(nodes: int, share: float, after: int, read: bool) -> None:
    mesh = Mesh(nodes, seed=2, plain=(*PLAIN, OWN_SERVICE))
    for source, target in (("*", "node-3"), ("node-3", "*")):
        mesh.drop(source, target, share, ON, proto="tcp").drop(source, target, share, ON, proto="icmp")
        mesh.drop(source, target, share, ON, proto="udp", port=53)  # trains go on from the ports that they have
    snapshots, _, now = mesh.run(ON + after).snapshots(ON + after)
    there = {f"node-3-{network}": "no answer within 2 s" for network in ("pod", "host")}
    unread = {} if read else there
    found = judge([each for each in snapshots if each.member.name not in unread], unread, now, clock)
    assert parts(found) == {("new_flows", "node-3")}


def test_new_flows_are_not_said_to_fail_at_a_node_that_loses_packets_of_known_flows_too() -> None:
    mesh = Mesh(3, seed=2, plain=())
    for source, target in (("*", "node-3"), ("node-3", "*")):
        mesh.drop(source, target, 0.1, ON).drop(source, target, 0.7, ON, proto="tcp")
        mesh.drop(source, target, 0.7, ON, proto="icmp")  # what is asked after a lost train meets a burst more often
    assert parts(verdict(mesh.run(ON + 30), ON + 30)) == {("node", "node-3")}


def test_a_slow_link_explains_what_it_loses() -> None:
    mesh = Mesh(seed=2, slow={"node-3": 512e3}).drop("node-3", "*", 0.2).drop("*", "node-3", 0.1).run(15)
    found = verdict(mesh, 15)
    assert parts(found) == {("link_rate", "node-3")}
    assert found.sentence.startswith("the link of node-3 passes only about 5")


def test_a_slow_link_does_not_hide_another_fault() -> None:
    mesh = Mesh(seed=2, slow={"node-3": 512e3}).drop("node-3", "*", 0.2).drop("node-1", "node-2").run(15)
    assert parts(verdict(mesh, 15)) == {("link_rate", "node-3"), ("pair", "node-1>node-2")}


def test_another_explanation_is_told_once_though_several_rows_of_its_name_see_it() -> None:
    (cut_off,) = verdict(Mesh(nodes=3, seed=1).cut("node-1").run(20), 20).findings
    rivals = [rival.partition(":")[0] for rival in cut_off.rivals]
    assert rivals == ["new_flows node-1", "pod_network node-1", "network all nodes"]


def test_one_agent_of_two_frozen() -> None:
    mesh = Mesh(seed=2, frozen={"node-3-pod": (START + 5, START + 99)}).run(28)
    young = verdict(mesh, 18)
    assert young.findings == ()
    assert "the agent node-3-pod on node-3 is starved, its host answers" in young.unknown
    found = verdict(mesh, 28)
    assert parts(found) == {("agent_frozen", "node-3-pod")}
    assert found.sentence == "the agent node-3-pod on node-3 is frozen, its host answers"


@pytest.mark.parametrize("agents", [["node-3-pod"], ["node-3-pod", "node-3-host"]])
def test_what_goes_to_starved_agents_is_not_lost_by_the_network(agents: list[str]) -> None:
    mesh = Mesh(3, seed=1, frozen=dict.fromkeys(agents, (START + 5, START + 18)), plain=()).run(18)
    for after in (13, 15, 17):
        found = verdict(mesh, after)
        assert found.sentence.startswith("the network is healthy: 3 nodes, 6 agents, ")
        assert ", 0 % loss" in found.sentence
        assert any("starved, " in remark for remark in found.unknown)


@pytest.mark.parametrize(
    ("source", "network", "named"),
    [
        ("*", (Network.HOST, Network.POD), ("node", "node-3")),
        ("*", (Network.POD,), ("pod_network", "node-3")),
        ("node-1", (Network.HOST, Network.POD), ("pair", "node-1>node-3")),
    ],
)
def test_that_nothing_gets_to_starved_agents_is_told_by_the_pings_which_their_kernel_does_not_answer(
    source: str, network: tuple[Network, ...], named: tuple[str, str]
) -> None:
    starved = [Trouble(START + ON - 1, None, "event loop late")]
    mesh = Mesh(3, seed=3, troubles=dict.fromkeys(("node-3-pod", "node-3-host"), starved), plain=())
    for each in network:
        mesh.drop(source, "node-3", 1, ON, network=each)
    mesh.run(ON + 30)
    assert parts(verdict(mesh, ON + 12)) == {named}
    assert parts(verdict(mesh, ON + 30)) == {named}


def test_pings_that_were_lost_before_an_agent_was_started_are_not_lost_by_its_network() -> None:
    mesh = Mesh(3, seed=1, gone={"node-3-pod": (START + 5, START + 18)}, plain=())
    mesh.drop("*", "node-3", 1, 5, 18, proto="icmp", network=Network.POD).run(24)
    for after in (19, 21, 23):
        assert verdict(mesh, after).findings == ()


@pytest.mark.parametrize(("how", "part", "soon"), [("gone", "agent_gone", 10), ("frozen", "agent_frozen", 22)])
@pytest.mark.parametrize("seed", range(3))
def test_what_their_service_fails_because_of_agents_that_do_not_answer_is_not_told_beside_them(
    how: str, part: str, soon: int, seed: int
) -> None:
    mesh = Mesh(3, seed=seed, plain=(OWN_SERVICE,))
    mesh.stop("node-3", getattr(mesh, how), ON).run(ON + 31)
    for after in range(4, 31, 2):
        found = parts(verdict(mesh, ON + after))
        assert found <= {(part, "node-3")}, after
        assert found or after < soon, after


def test_a_service_that_fails_more_than_its_agents_that_are_gone_is_told_beside_them() -> None:
    mesh = Mesh(3, plain=(OWN_SERVICE,), failing={"service": (START + ON, START + 99)})
    mesh.stop("node-3", mesh.gone, ON).run(ON + 20)
    assert parts(verdict(mesh, ON + 20)) == {("agent_gone", "node-3"), ("service", "service")}


@pytest.mark.parametrize(("zones", "share"), [(False, 1.0), (True, 1.0), (True, 0.3)])
def test_which_of_two_ways_is_cut_is_not_said_where_no_probe_tells(zones: bool, share: float) -> None:
    mesh = Mesh(6, seed=1, plain=())
    mesh.members = [
        msgspec.structs.replace(member, zone=f"zone{(int(member.node[-1]) + 1) // 2}") for member in mesh.members
    ]
    for source, target in [(1, 3), (1, 4), (2, 3), (2, 4)] if zones else [(1, 3)]:
        mesh.drop(f"node-{source}", f"node-{target}", share, ON).stop(f"node-{target}", mesh.frozen, ON)
    found = {finding.part: finding for finding in verdict(mesh.run(ON + 30), ON + 24).findings}
    part, either = ("zone_pair", {"zone1", "zone2"}) if zones else ("pair", {"node-1", "node-3"})
    start, _, end = found[part].subject.partition(">")
    assert {start, end} == either
    assert f"{end}, or back, " in found[part].sentence
    assert found[part].alike == (f"{part} {end}>{start}",)


def test_two_ways_that_are_both_told_are_not_held_for_each_other() -> None:
    mesh = Mesh(4, plain=()).drop("node-1", "node-2", 1, ON).drop("node-2", "node-1", 1, ON).run(ON + 20)
    found = verdict(mesh, ON + 20).findings
    assert {finding.subject for finding in found} == {"node-1>node-2", "node-2>node-1"}
    assert [(finding.alike, "or back" in finding.sentence) for finding in found] == [((), False), ((), False)]


def test_a_drained_node_whose_agents_are_gone_is_no_finding() -> None:
    states = {f"node-3-{network}": (State.DRAINING, "kernel update") for network in ("pod", "host")}
    mesh = Mesh(seed=1, states=states)
    mesh.stop("node-3", mesh.gone, ON)
    mesh.run(30)
    for after in (13, 16, 20, 30):
        found = verdict(mesh, after)
        assert found.verdict is Health.GOOD
        assert found.states == ("node-3-host draining: kernel update", "node-3-pod draining: kernel update")


def test_an_excused_member_excuses_nobody_else() -> None:
    mesh = Mesh(seed=1, states={"node-3-pod": (State.ROLLING, "")}).cut("node-3", ON).run(24)
    assert parts(verdict(mesh, 24)) == {("node", "node-3")}


@pytest.mark.parametrize("seed", range(3))
def test_nothing_but_a_remark_after_a_pause(seed: int) -> None:
    mesh = Mesh(seed=seed)
    pause(mesh)
    mesh.run(END)
    for after in (0, 1, 2, 3, 5, 8):
        assert verdict(mesh, OFF + after).findings == ()
    found = verdict(mesh, END)
    assert found.verdict is Health.GOOD
    assert "local: node-3-pod could not measure from 11 to 25: frozen for 14 s" in found.unknown


def test_reports_that_are_too_big_for_the_way_to_the_collector_are_one_finding_of_the_node() -> None:
    mesh = Mesh(seed=1).run(15)
    snapshots, unread = mesh.snapshots(15)[:2]
    sizes = {"node-1-pod": 21_000, "node-1-host": 16_384}
    told = [msgspec.structs.replace(one, withheld=sizes.get(one.member.name, 0)) for one in snapshots]
    found = judge(told, unread, START + 15, clock)
    assert parts(found) == {("collector_mtu", "node-1")}
    assert found.sentence == "only small packets get from node-1 to the collector, not a report of 16384 bytes"
    assert "ping -M do" in found.findings[0].confirm


def test_a_node_that_is_called_frozen_keeps_its_name_where_its_agent_is_starved() -> None:
    snapshots, unread, now = (
        Mesh(3, seed=1, frozen={"node-3-pod": (START + 5, START + 18)}, plain=()).run(17).snapshots(17)
    )
    text = msgspec.json.encode(snapshots).replace(b"node-3", b"frozen")
    others = {name.replace("node-3", "frozen"): why for name, why in unread.items()}
    found = judge(msgspec.json.decode(text, type=list[Snapshot]), others, now, clock)
    assert "the agent frozen-pod on frozen is starved, its host answers" in found.unknown


@pytest.mark.parametrize(("since", "health"), [(5, Health.GOOD), (-6, Health.UNKNOWN)])
def test_a_starved_observer_accuses_nobody(since: float, health: Health) -> None:
    """For less than the 20 s after which it would be frozen, that is a remark."""
    trouble = Trouble(START + since, None, "loop late by 900 ms")
    mesh = Mesh(seed=1, troubles={"node-2-pod": [trouble]}).drop("node-2", "*", 0.6, 4, network=Network.POD).run(15)
    found = verdict(mesh, 15)
    assert found.findings == ()
    assert found.verdict is health
    assert any(f"node-2-pod could not measure since {since}: loop late by 900 ms" in line for line in found.unknown)


@pytest.mark.parametrize(("nodes", "health"), [((2,), Health.GOOD), ((1, 2, 3), Health.UNKNOWN)])
def test_who_was_starved_and_measures_again_is_a_remark_unless_most_were(
    nodes: tuple[int, ...], health: Health
) -> None:
    names = [f"node-{number}-{network}" for number in nodes for network in ("pod", "host")]
    mesh = Mesh(seed=1, troubles={name: [Trouble(START + 2, START + 14, "loop late by 12 s")] for name in names})
    found = verdict(mesh.run(15), 15)
    assert (found.verdict, found.findings, found.blind) == (health, (), health is Health.UNKNOWN)
    assert any("node-2-pod could not measure from 2 to 14" in line for line in found.unknown)


@pytest.mark.parametrize(
    "options", [{"nodes": 9}, {"unjoined": True}, {"clocks": {"node-3-pod": 45.0, "node-1-host": -3.0}}]
)
@pytest.mark.parametrize("fault", [cut, podnet, kill, udp])
def test_bigger_older_and_unsynchronised_meshes(fault: Callable[[Mesh], None], options: dict[str, int]) -> None:
    mesh = Mesh(seed=4, background=1e-4, **options)  # type: ignore[arg-type]
    fault(mesh)
    mesh.run(24)
    row = next(row for row in HARD if row[0] is fault)
    found = parts(verdict(mesh, 24))
    if fault is udp and options.get("unjoined"):  # a round trip alone does not tell the ways apart
        assert {part for part, _ in found} == {"pair_udp"}
    else:
        assert found == {(row[1], row[2])}


@pytest.mark.parametrize("fault", [cut, podnet, receives_nothing, sends_nothing])
def test_a_fault_older_than_every_record_is_told_apart_as_a_new_one_is(fault: Callable[[Mesh], None]) -> None:
    """A node that received nothing for the whole long window has no records left: that is no ignorance of the ways."""
    mesh = Mesh()
    fault(mesh)
    mesh.rules = [replace(rule, until=float("inf")) for rule in mesh.rules]
    mesh.run(95)
    row = next(row for row in HARD if row[0] is fault)
    findings = verdict(mesh, 90).findings
    assert {(finding.part, finding.subject) for finding in findings} == {(row[1], row[2])}
    assert [line for line in findings[0].evidence if "cannot tell" in line] == []
    assert any("way there" in line for line in findings[0].evidence)


def test_a_fault_older_than_all_trials_began_when_those_who_ask_remember() -> None:
    mesh = Mesh()
    cut(mesh)
    mesh.rules = [replace(rule, until=float("inf")) for rule in mesh.rules]
    snapshots, unread, now = mesh.run(95).snapshots(90)
    remembering = [
        msgspec.structs.replace(
            snapshot,
            edges=tuple(
                msgspec.structs.replace(edge, bad_since=START + ON + 1)
                if "node-3" in edge.latest.check.target
                else edge
                for edge in snapshot.edges
            ),
        )
        for snapshot in snapshots
        if snapshot.member.node != "node-3"
    ]
    unread = dict.fromkeys(("node-3-pod", "node-3-host"), "no answer within 2 s")
    (finding,) = judge(remembering, unread, now, clock).findings
    assert finding.since == START + ON + 1
    assert "since 12;" in finding.sentence


def test_where_members_remember_a_beginning_plain_targets_that_are_asked_seldom_do_not_tell_a_later_one() -> None:
    mesh = Mesh(nodes=2).drop("node-2", "*", 1, ON).run(95)
    snapshots, unread, now = mesh.snapshots(90)
    members = {snapshot.member.name for snapshot in snapshots}
    remembering = [
        msgspec.structs.replace(
            snapshot,
            edges=tuple(
                msgspec.structs.replace(
                    edge, past=(), bad_since=START + ON + 1 if edge.latest.check.target in members else now - 60
                )
                for edge in snapshot.edges
            ),
        )
        for snapshot in snapshots
    ]
    assert [finding.since for finding in judge(remembering, unread, now, clock).findings] == [START + ON + 1]


def test_parts_that_cannot_be_told_apart_are_named_once() -> None:
    mesh = Mesh(nodes=3)
    receives_nothing(mesh)
    read, unread, now = mesh.run(21).snapshots(20)
    unread |= {snapshot.member.name: "no answer" for snapshot in read[1:]}
    lines = [line for finding in judge(read[:1], unread, now, clock).findings for line in finding.evidence]
    alike = next(line.split(": ")[1].split(", ") for line in lines if "cannot tell" in line)
    assert len(alike) > 1
    assert len(alike) == len(set(alike))


@pytest.mark.parametrize(("share", "against"), [(0.3, False), (1.0, True)])
def test_that_a_node_s_agents_could_be_read_speaks_against_it_only_where_nothing_gets_through(
    share: float, against: bool
) -> None:
    mesh = Mesh(nodes=3, seed=1).drop("node-3", "*", share, ON).drop("*", "node-3", share, ON).run(32)
    (finding,) = verdict_on(basis(*mesh.snapshots(32), over_network=True), clock).findings
    assert not any(": 0 of " in line for line in finding.evidence)
    assert ("http read: 0 of 2 bad" in finding.against) is against


def test_at_the_rates_of_production() -> None:
    mesh = Mesh(20, seed=4, background=1e-4, period=PRODUCTION, neighbours=10)
    cut(mesh)
    mesh.run(24)
    assert verdict(mesh, ON).verdict is Health.GOOD
    assert parts(verdict(mesh, ON + 10)) == {("node", "node-3")}


PRODUCTION = {Kind.UDP: 2.5, Kind.TCP: 10.0, Kind.HTTP: 10.0, Kind.ICMP: 5.0, Kind.MTU: 60.0, Kind.DNS: 10.0}


def test_half_a_percent_of_loss_is_named_within_minutes_with_its_beginning() -> None:
    mesh = Mesh(8, seed=3, background=1e-4, period=PRODUCTION, neighbours=4, plain=())
    mesh.drop("node-3", "*", 0.005, 90).drop("*", "node-3", 0.005, 90).run(640)
    snapshots, unread, now = mesh.snapshots(630)
    (finding,) = judge(snapshots, unread, now, clock).findings
    assert (finding.part, finding.subject) == ("node", "node-3")
    assert finding.loss == pytest.approx(0.005, abs=0.003)
    assert finding.since == pytest.approx(START + 90, abs=60)
    mixed = [each if index % 2 else of_the_version_before(each) for index, each in enumerate(snapshots)]
    assert parts(judge(mixed, unread, now, clock)) == {("node", "node-3")}


def of_the_version_before(snapshot: Snapshot) -> Snapshot:
    edges = tuple(msgspec.structs.replace(edge, past=()) for edge in snapshot.edges)
    return msgspec.structs.replace(snapshot, edges=edges)


def test_faint_loss_that_ended_is_not_named_though_it_is_remembered() -> None:
    mesh = Mesh(8, seed=3, background=1e-4, period=PRODUCTION, neighbours=4, plain=())
    mesh.drop("node-3", "*", 0.005, 90, 400).drop("*", "node-3", 0.005, 90, 400).run(640)
    assert parts(verdict(mesh, 390)) == {("node", "node-3")}
    assert parts(verdict(mesh, 630)) == set()


def test_all_paths_losing_a_little_for_minutes_is_no_fault_of_any() -> None:
    mesh = Mesh(8, seed=5, background=0.01, period=PRODUCTION, neighbours=4, plain=()).run(640)
    assert verdict(mesh, 630).findings == ()


def _bursty(seed: int) -> Mesh:
    """A healthy mesh with a few packets lost at random and some short bursts on single pairs."""
    rng = Random(seed)
    mesh = Mesh(4, seed=seed, background=(0, 1e-4, 1e-3)[seed % 3], plain=PLAIN[2:3])
    for _ in range(6):
        source, target = rng.sample(range(1, 5), 2)
        at = rng.uniform(0, 9)
        mesh.drop(f"node-{source}", f"node-{target}", 1, at, at + rng.uniform(0.01, 0.1))
    return mesh.run(11)


@pytest.mark.parametrize("seeds", [range(first, first + 50) for first in range(0, 300, 50)])
def test_three_hundred_healthy_windows_with_bursts_yield_nothing(seeds: range) -> None:
    false = {seed: found.sentence for seed in seeds if (found := verdict(_bursty(seed), 11)).findings}
    assert false == {}
