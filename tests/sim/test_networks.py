"""Two networks, with an agent in each on every node: one coordinator where they reach each other, one notice for one
event."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from kubesonar.core.membership.announcing.brake import HELD_TOO_LONG
from kubesonar.core.membership.events import Announce, Assembled, Doubted, MembershipAction
from kubesonar.model import Condition, Network
from kubesonar.sim.node import SimNode
from tests.sim.cluster import TwoNetworks

BOTH = frozenset({Network.POD, Network.HOST})


def speakers(cluster: TwoNetworks) -> dict[str, frozenset[Network]]:
    """Who may announce, and of which networks."""
    world = cluster.world
    heads = {name: world.nodes[name] for name in cluster.oracles.announcing()}
    return {
        name: node.machine.announces(world.now + node.offset)
        for name, node in heads.items()
        if node.machine is not None
    }


def one_speaks_for_both(cluster: TwoNetworks) -> bool:
    return list(speakers(cluster).values()) == [BOTH]


@pytest.mark.parametrize("nodes", [1, 2, 3, 5, 20])
def test_two_networks_that_reach_each_other_have_one_coordinator_which_is_in_the_host_network(nodes: int) -> None:
    cluster = TwoNetworks(nodes).started()
    assert one_speaks_for_both(cluster)
    assert cluster.coordinator.startswith("h")
    assert cluster.oracles.complaints == []


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("nodes", [3, 5, 10])
def test_a_dead_node_is_one_notice_and_so_is_its_return(nodes: int, seed: int) -> None:
    cluster = TwoNetworks(nodes, seed).started()
    cluster.power_off(2)
    assert cluster.run(12).told() == [("node-2", Condition.DEAD)]
    cluster.said.clear()
    cluster.power_on(2)
    assert cluster.run(20).told() == [("node-2", Condition.BACK)]
    assert cluster.oracles.complaints == []


@pytest.mark.parametrize("nodes", [3, 5, 10])
def test_the_coordinators_node_dies_and_that_is_one_notice_too(nodes: int) -> None:
    cluster = TwoNetworks(nodes).started()
    number = int(cluster.coordinator[1:])
    cluster.power_off(number)
    assert cluster.run(12).told() == [(f"node-{number}", Condition.DEAD)]
    assert one_speaks_for_both(cluster)


@pytest.mark.parametrize("nodes", [5, 7, 10])
def test_two_nodes_that_die_at_once_are_told_as_such(nodes: int) -> None:
    cluster = TwoNetworks(nodes).started()
    cluster.power_off(1, 4)
    assert sorted(cluster.run(15).told()) == [("node-1", Condition.DEAD), ("node-4", Condition.DEAD)]
    assert cluster.doubted == []


def test_agents_that_freeze_or_end_together_are_one_notice() -> None:
    cluster = TwoNetworks(5).started()
    for name in cluster.node(2):
        cluster.world.pause(name)
    for name in cluster.node(4):
        cluster.world.kill(name)
    assert sorted(cluster.run(15).told()) == [("node-2", Condition.FROZEN), ("node-4", Condition.GONE)]


def test_of_a_node_whose_pod_network_alone_is_dead_the_host_agent_is_named() -> None:
    told: list[Announce] = []

    def note(now: float, node: SimNode, action: MembershipAction) -> None:
        if isinstance(action, Announce):
            told.append(action)

    cluster = TwoNetworks(5).started()
    cluster.world.watch.append(note)
    cluster.oracles.moved()
    cluster.world.network.cut.add("p2")
    cluster.run(12)
    assert [(one.member, one.node, one.answering) for one in told] == [("p2", "", ("h2",))]


def test_the_rest_of_a_node_dies_later_and_is_told_as_the_node() -> None:
    cluster = TwoNetworks(5).started()
    cluster.world.power_off("p2")
    cluster.run(30)
    cluster.world.power_off("h2")
    assert cluster.run(15).told() == [("p2", Condition.DEAD), ("node-2", Condition.DEAD)]
    cluster.said.clear()
    cluster.power_on(2)
    assert sorted(cluster.run(20).told()) == [("node-2", Condition.BACK), ("p2", Condition.BACK)]


def test_one_agent_of_a_dead_node_returns_and_the_other_is_told_again() -> None:
    cluster = TwoNetworks(5).started()
    cluster.power_off(2)
    cluster.run(12)
    cluster.said.clear()
    cluster.world.power_on("h2")
    assert cluster.run(30).told() == [("node-2", Condition.BACK), ("p2", Condition.DEAD)]
    cluster.said.clear()
    cluster.world.power_on("p2")
    assert cluster.run(15).told() == [("p2", Condition.BACK)]


def test_networks_that_do_not_reach_each_other_have_one_each_and_say_why() -> None:
    said: list[Assembled] = []

    def note(now: float, node: SimNode, action: MembershipAction) -> None:
        if isinstance(action, Assembled):
            said.append(action)

    cluster = TwoNetworks(5)
    cluster.world.watch.append(note)
    cluster.part()
    cluster.started()
    assert sorted(speakers(cluster).values()) == [{Network.HOST}, {Network.POD}]
    assert sorted((apart.network, apart.reached, apart.of) for one in said for apart in one.apart) == [
        (Network.HOST, 0, 5),
        (Network.POD, 0, 5),
    ]
    said.clear()
    cluster.heal()
    cluster.run(20)
    assert one_speaks_for_both(cluster)
    assert [(len(one.heard), one.apart) for one in said] == [(9, ())]
    assert cluster.told() == [] and cluster.doubted == []


def test_networks_that_part_are_told_apart_and_nobody_is_called_dead() -> None:
    cluster = TwoNetworks(5).started()
    cluster.part()
    cluster.run(30)
    assert sorted(speakers(cluster).values()) == [{Network.HOST}, {Network.POD}]
    cluster.power_off(2)
    assert sorted(cluster.run(15).told()) == [("h2", Condition.DEAD), ("p2", Condition.DEAD)]
    cluster.said.clear()
    cluster.heal()
    cluster.power_on(2)
    assert sorted(cluster.run(30).told()) == [("h2", Condition.BACK), ("p2", Condition.BACK)]
    assert one_speaks_for_both(cluster)
    assert cluster.oracles.complaints == []


PARTLY: dict[str, Callable[[str, str], bool]] = {
    "on one node": lambda source, target: source[1:] == target[1:],
    "pod to host": lambda source, target: source.startswith("p"),
    "host to pod": lambda source, target: source.startswith("h"),
    "every second": lambda source, target: (int(source[1:]) + int(target[1:])) % 2 == 0,
}
"""Which ways from one network to the other are open."""


@pytest.mark.parametrize("way", PARTLY)
@pytest.mark.parametrize("nodes", [3, 5])
def test_networks_that_reach_each_other_in_part_have_one_each_and_the_office_stays(nodes: int, way: str) -> None:
    cluster = TwoNetworks(nodes, seed=1)
    cluster.block(PARTLY[way])
    cluster.started()
    assert sorted(speakers(cluster).values()) == [{Network.HOST}, {Network.POD}]
    elections = len(cluster.elected)
    cluster.run(60)
    assert len(cluster.elected) == elections
    assert cluster.told() == [] and cluster.doubted == [] and cluster.oracles.complaints == []


@pytest.mark.parametrize("way", ["on one node", "pod to host", "host to pod"])
@pytest.mark.parametrize("nodes", [3, 5, 8])
def test_where_networks_reach_each_other_in_part_the_death_of_both_coordinators_is_not_late(
    nodes: int, way: str
) -> None:
    cluster = TwoNetworks(nodes, seed=1)
    cluster.block(PARTLY[way])
    cluster.started(settle=60)
    heads = list(speakers(cluster))
    numbers = {int(name[1:]) for name in heads}
    died = cluster.world.now
    cluster.power_off(*numbers)
    cluster.run(15)
    told = {name: at - died for at, _, name, _ in cluster.said if name in heads}
    assert set(told) == set(heads)
    assert max(told.values()) < 5.5
    assert cluster.oracles.complaints == []


@pytest.mark.parametrize("back", [False, True], ids=["upgrade", "rollback"])
@pytest.mark.parametrize("nodes", [3, 5])
def test_a_rolling_change_of_versions_tells_nothing(nodes: int, back: bool) -> None:
    cluster = TwoNetworks(nodes)
    world = cluster.world
    world.older = set() if back else set(world.nodes)
    cluster.started()
    for name in sorted(world.nodes):
        world.leave(name)
        (world.older.add if back else world.older.discard)(name)
        world.start(name)
        cluster.run(6)
    cluster.run(20)
    assert len(speakers(cluster)) == (2 if back else 1)
    assert cluster.told() == [] and cluster.doubted == [] and cluster.oracles.complaints == []


@pytest.mark.parametrize("seed", range(4))
def test_a_mixed_mesh_elects_for_each_network_and_tells_as_before(seed: int) -> None:
    cluster = TwoNetworks(5, seed)
    cluster.world.older = set(Random(seed).sample(sorted(cluster.world.nodes), 5))
    cluster.started()
    elections = len(cluster.elected)
    cluster.run(60)
    assert len(cluster.elected) == elections, "the office stays where it is"
    cluster.power_off(2)
    assert sorted(cluster.run(15).told()) == [("h2", Condition.DEAD), ("p2", Condition.DEAD)]
    assert cluster.oracles.complaints == [] and cluster.doubted == []


def test_a_brake_that_is_held_for_a_minute_is_told_once_with_the_nodes() -> None:
    said: list[Doubted] = []

    def note(now: float, node: SimNode, action: MembershipAction) -> None:
        if isinstance(action, Doubted):
            said.append(action)

    cluster = TwoNetworks(10).started()
    cluster.world.watch.append(note)
    cluster.power_off(1, 2, 3, 4)
    cluster.run(30)
    assert [(one.what, one.count, one.of, one.lasting) for one in said] == [(Condition.SUSPECT, 4, 10, 0.0)]
    cluster.run(200)
    assert [(one.what, one.nodes) for one in said[1:]] == [
        (Condition.SUSPECT, ("node-1", "node-2", "node-3", "node-4"))
    ]
    assert HELD_TOO_LONG <= said[1].lasting < HELD_TOO_LONG + 5
    cluster.power_on(1, 2, 3, 4)
    cluster.run(30)
    assert said[-1].what is Condition.BACK
    assert cluster.told() == []


class Histories:
    """One fault after the other, each of a kind that the seed chooses, and what is to be told of each."""

    def __init__(self, nodes: int, seed: int) -> None:
        self.cluster = TwoNetworks(nodes, seed).started()
        self._rng = Random(seed)

    def step(self) -> None:
        cluster, world = self.cluster, self.cluster.world
        one, two = self._rng.sample(range(1, len(world.nodes) // 2 + 1), 2)
        kind = self._rng.choice(["node", "nodes", "coordinator", "pod network", "pod", "freeze"])
        one = int(cluster.coordinator[1:]) if kind == "coordinator" else one
        cluster.said.clear()
        expected = [(f"node-{one}", Condition.DEAD)]
        if kind == "nodes":
            cluster.power_off(one, two)
            expected.append((f"node-{two}", Condition.DEAD))
        elif kind == "pod network":
            cluster.oracles.moved()
            world.network.cut.add(f"p{one}")
            expected = [(f"p{one}", Condition.DEAD)]
        elif kind == "pod":
            world.kill(f"p{one}")
            expected = [(f"p{one}", Condition.GONE)]
        elif kind == "freeze":
            for name in cluster.node(one):
                world.pause(name)
            expected = [(f"node-{one}", Condition.FROZEN)]
        else:
            cluster.power_off(one)
        assert sorted(cluster.run(25).told()) == sorted(expected), kind
        cluster.said.clear()
        cluster.heal()
        for name in cluster.node(one):
            world.resume(name)
        cluster.power_on(one, two)
        returned = [(name, Condition.BACK) for name, _ in expected]
        assert sorted(cluster.run(40).told()) == sorted(returned), kind
        assert one_speaks_for_both(cluster)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("nodes", [5, 8])
def test_whatever_befalls_a_cluster_each_event_is_one_notice(nodes: int, seed: int) -> None:
    history = Histories(nodes, seed)
    for _ in range(4):
        history.step()
    assert history.cluster.oracles.complaints == []
