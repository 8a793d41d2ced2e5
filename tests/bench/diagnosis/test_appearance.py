from __future__ import annotations

import pytest

from bench.diagnosis.appearance import Appearance
from bench.diagnosis.cluster import Shape
from bench.diagnosis.simulation import Simulation
from bench.diagnosis.truth import Named, Truth, answer

NODE, INGRESS = ("node", "node-1"), ("ingress", "ingress")
THERE, BACK = ("pair", "node-2>node-3"), ("pair", "node-3>node-2")
FROZEN, GONE = ("agent_frozen", "node-3"), ("agent_gone", "node-3")


def appearance() -> Appearance:
    sim = Simulation(Shape(nodes=3), 1)
    sim.run(20.0)
    return Appearance(sim)


def truths(*named: Named) -> list[Truth]:
    return [Truth((answer(each),)) for each in named]


def test_a_target_behind_a_name_that_cannot_be_looked_up_is_hidden() -> None:
    cluster = appearance()
    all_dns = ("dns_service", "dns-service")
    assert cluster.alike([all_dns], truths(all_dns, INGRESS))
    assert not cluster.alike([INGRESS], truths(all_dns, INGRESS))
    assert not cluster.alike([NODE], truths(NODE, ("api_server", "api-server")))


def test_a_target_is_hidden_by_whichever_right_answer_the_look_up_of_its_name_fails() -> None:
    all_dns = ("dns_service", "dns-service")
    by_udp = Truth((answer(("dns_udp", "dns-service")), answer(all_dns)))
    assert appearance().alike([all_dns], [by_udp, *truths(INGRESS)])
    assert not appearance().alike([all_dns], [by_udp, *truths(NODE)])


@pytest.mark.parametrize("stopped", [FROZEN, GONE])
def test_with_agents_at_one_end_only_no_probe_tells_which_way_is_cut(stopped: Named) -> None:
    cluster = appearance()
    assert cluster.alike([stopped, BACK], truths(stopped, THERE))
    assert cluster.stand_ins([BACK], truths(stopped, THERE)) == {BACK}
    assert not cluster.alike([BACK], truths(THERE))
    assert not cluster.alike([stopped], truths(stopped, THERE))


def test_what_shows_the_same_as_another_right_answer_than_the_first_is_right() -> None:
    sim = Simulation(Shape(nodes=3), 1)
    sim.run(20.0)
    zone_of, home = sim.cluster.zone_of, sim.cluster.places["api-server"].zone
    (alone,), (start, frozen) = (
        [node for node in zone_of if (zone_of[node] == home) is there] for there in (True, False)
    )
    there, back, stopped = ("pair", f"{alone}>{frozen}"), ("pair", f"{frozen}>{alone}"), ("agent_frozen", frozen)
    between_zones = (
        "zone_pair",
        f"{zone_of[start]}>{home}",
    )  # which the API server lies behind, and not behind the pair
    faults = [*truths(stopped), Truth((answer(("pair", f"{start}>{alone}")), answer(between_zones)))]
    assert Appearance(sim).alike([stopped, between_zones, there], [*faults, Truth((answer(there, back),))])


def test_who_runs_no_agent_is_told_from_who_lets_nothing_through() -> None:
    cluster = appearance()
    assert not cluster.alike([GONE], truths(FROZEN))
    assert not cluster.alike([("node", "node-3")], truths(FROZEN))
    assert not cluster.alike([("node_in", "node-3")], truths(("node", "node-3")))


def test_a_server_that_is_deaf_beside_one_on_a_node_that_is_cut_off_is_all_dns_that_there_is() -> None:
    sim = Simulation(Shape(nodes=3), 1)
    sim.run(20.0)
    cluster, (deaf, other) = Appearance(sim), sim.cluster.dns
    faults = truths(("node", sim.cluster.dns[other]), ("dns_server", deaf))
    all_dns = ("dns_service", "dns-service")
    assert cluster.alike([("node", sim.cluster.dns[other]), all_dns], faults)
    assert cluster.stand_ins([all_dns], faults) == {all_dns}


def test_a_way_from_a_zone_is_what_is_missed_through_it_where_its_only_node_is_cut_off() -> None:
    sim = Simulation(Shape(nodes=3), 1)
    sim.run(20.0)
    cluster, home = Appearance(sim), sim.cluster.places["api-server"].zone
    alone = next(node for node, zone in sim.cluster.zone_of.items() if zone == home)
    other = next(node for node, zone in sim.cluster.zone_of.items() if zone != home)
    faults = truths(("node", alone), ("zone_pair", f"{home}>{sim.cluster.zone_of[other]}"))
    for missed in (
        ("pair_port", f"{other}>api-server tcp/443"),
        ("zone_target", f"{sim.cluster.zone_of[other]}>api-server"),
    ):
        assert cluster.alike([("node", alone), missed], faults)
    assert not cluster.alike([("node", alone), ("pair_port", f"{alone}>api-server tcp/443")], faults)
    assert not cluster.alike([missed], faults[1:])


def test_more_faults_than_there_are_or_parts_of_which_nothing_is_known_are_not_alike() -> None:
    cluster = appearance()
    assert not cluster.alike([NODE, ("pair", "node-1>node-2")], truths(NODE))
    assert not cluster.alike([("node_slow", "node-1")], truths(NODE))


@pytest.mark.parametrize(
    "named",
    [("pair_udp", "node-2>node-3"), ("pair_port", "node-2>node-3 tcp/7473"), ("pair_mtu", "node-2>node-3"), BACK],
)
def test_what_loses_less_of_a_way_is_not_the_way(named: Named) -> None:
    assert not appearance().alike([named], truths(THERE))
