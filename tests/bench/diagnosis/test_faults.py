from __future__ import annotations

from random import Random

import pytest

from bench.diagnosis.cluster import PORT, Shape
from bench.diagnosis.faults import FAULTS, Injection, Making
from bench.diagnosis.network import Flow
from bench.diagnosis.rows import FAMILY, SLOW
from bench.diagnosis.simulation import Simulation
from kubesonar.model import Health


def made(kind: str, share: float = 1.0, nodes: int = 3) -> tuple[Simulation, Injection]:
    sim = Simulation(Shape(nodes=nodes), 1)
    sim.run(5.0)
    return sim, FAULTS[kind](Making(sim, Random(2), share, "steady", 60.0, set()))


def named(injection: Injection) -> set[str]:
    return {part for answer in injection.truth.answers for part, _ in answer}


def test_of_a_node_that_lets_nothing_out_nobody_knows_whether_anything_gets_in() -> None:
    assert named(made("node_out")[1]) == {"node_out", "node"}
    assert named(made("node_out", 0.3)[1]) == {"node_out"}
    assert named(made("pod_network_out")[1]) == {"pod_network_out", "pod_network"}


def test_between_two_zones_of_one_node_each_the_pair_is_the_way_between_the_zones() -> None:
    assert named(made("pair")[1]) == {"pair", "zone_pair"}
    assert named(made("pair_slow")[1]) == {"pair_slow", "zone_pair_slow"}
    assert named(made("pair", nodes=6)[1]) == {"pair"}


def test_a_target_that_the_only_node_of_a_zone_misses_is_missed_by_the_zone() -> None:
    assert named(made("node_target")[1]) == named(made("zone_target")[1]) == {"zone_target", "pair_port", "pair"}
    assert named(made("node_target", nodes=6)[1]) == {"pair_port", "pair"}
    assert named(made("zone_target", nodes=6)[1]) == {"zone_target"}


def test_the_agents_own_service_leads_nowhere_while_other_services_do() -> None:
    sim, injection = made("service_silent")
    injection.begin()
    start, end = sim.cluster.places["node-1-pod"], sim.cluster.places["node-2-pod"]
    assert named(injection) == {"service"}
    assert not sim.network.way(start, end, Flow("tcp", PORT, service=True)).passes(6.0)
    assert sim.network.way(start, end, Flow("tcp", 443, service=True)).passes(6.0)


def test_a_port_is_blocked_on_the_way_to_it_and_not_for_the_answers() -> None:
    sim, injection = made("pair_port")
    ((_, subject),) = injection.truth.answers[0]
    one, _, other = subject.partition(" ")[0].partition(">")
    injection.begin()
    start, end = sim.cluster.places[f"{one}-pod"], sim.cluster.places[f"{other}-pod"]
    flow = Flow("tcp", PORT)
    assert not sim.network.way(start, end, flow).passes(6.0)
    assert sim.network.way(start, end, flow._replace(reply=True)).passes(6.0)


@pytest.mark.parametrize("kind", FAULTS)
def test_every_fault_does_something_and_is_healed(kind: str) -> None:
    sim = Simulation(Shape(nodes=4, families=(4, 6) if kind in FAMILY else (4,)), 1)
    begin, heal, end = 12.0, 30.0, 50.0
    sim.run(begin)
    injection = FAULTS[kind](Making(sim, Random(2), 1.0, "steady", heal, set()))
    assert injection.truth.answers
    injection.begin()
    sim.run(heal)
    assert failed(sim, begin) or kind in SLOW
    injection.heal()
    sim.run(end)
    assert not failed(sim, heal + 12.0)
    assert not sim.read().unread


def failed(sim: Simulation, since: float) -> list[tuple[str, str]]:
    """The last checks of each way that failed after that virtual time."""
    return [
        (snapshot.member.name, edge.latest.check.id)
        for snapshot in sim.read().snapshots
        for edge in snapshot.edges
        if edge.latest.at > sim.cluster.epoch + since and edge.latest.health is not Health.GOOD
    ]


@pytest.mark.parametrize("kind", ["node_in", "dns_gone"])
def test_where_other_faults_have_all_of_a_kind_one_of_them_has_two(kind: str) -> None:
    sim = Simulation(Shape(nodes=3), 1)
    sim.run(5.0)
    taken = {*sim.cluster.nodes, *sim.cluster.dns}
    (((_, subject),), *_) = FAULTS[kind](Making(sim, Random(2), 1.0, "steady", 60.0, taken)).truth.answers
    assert subject in taken
