from __future__ import annotations

from typing import Any

from kubesonar.core.excuses import GOODBYE_LAG
from kubesonar.core.membership.events import Departed, Leaving, Received
from kubesonar.core.membership.goodbyes import LATELY, Goodbyes
from kubesonar.core.membership.messages import Leave, Ping
from kubesonar.sim.playing import member
from kubesonar.sim.world import view_of
from tests.sim.cluster import Cluster

VIEW = view_of([member("a"), member("b"), member("c"), member("d")])


def started() -> Goodbyes:
    machine = Goodbyes("a")
    machine.step(0.0, VIEW)
    return machine


def departed(actions: list[Any]) -> list[set[str]]:
    return [set(action.members) for action in actions if isinstance(action, Departed)]


def test_who_leaves_tells_all_that_probed_it_or_spoke_lately_and_tells_them_again() -> None:
    machine = started()
    machine.step(1.0, Received("b", 5, Ping(1)))
    machine.step(LATELY + 2, Received("c", 5, Ping(1)))
    told = machine.step(LATELY + 3, Leaving(frozenset({"d", "stranger"})))
    assert [(action.to, action.message) for action in told] == [("c", Leave()), ("d", Leave())]
    assert len(machine.step(LATELY + 3.5)) == len(machine.step(LATELY + 4)) == 2
    assert machine.due is None


def test_who_took_its_leave_has_departed_until_it_begins_anew_where_the_roster_has_it() -> None:
    machine = started()
    assert departed(machine.step(1.0, Received("b", 5, Leave()))) == [{"b"}]
    assert departed(machine.step(1.1, Received("b", 5, Leave()))) == []
    assert departed(machine.step(1.2, Received("b", 5, Ping(1)))) == [], "it still answers for a while"
    assert departed(machine.step(2.0, Received("b", 6, Ping(1), elsewhere=True))) == [], "nobody can ask it there"
    assert departed(machine.step(3.0, Received("b", 6, Ping(1)))) == [set()]
    assert departed(machine.step(4.0, Received("b", 5, Leave()))) == [], "an old one, overtaken"


def test_another_entry_in_the_roster_is_expected() -> None:
    machine = started()
    machine.step(1.0, Received("b", 5, Leave()))
    assert departed(machine.step(2.0, VIEW)) == []
    assert departed(machine.step(3.0, view_of([member("a"), member("c"), member("d")]))) == [set()]


def test_a_roster_that_never_follows_excuses_for_a_while_only() -> None:
    machine = started()
    machine.step(1.0, Received("b", 5, Leave()))
    assert departed(machine.step(GOODBYE_LAG)) == []
    assert departed(machine.step(GOODBYE_LAG + 1.0)) == [set()]


def test_in_a_rollout_nobody_is_told_of_though_rosters_lag_behind() -> None:
    cluster = Cluster(8).started()
    for name in ("m3", "m8", "m5"):
        cluster.world.leave(name)
        cluster.world.nodes[name].host_up = False
        cluster.run(30.0)
        assert cluster.told() == []
        assert not any(name in node.machine.suspected for node in cluster.running() if node.machine is not None)
        cluster.world.remove([name])
    cluster.run(10.0)
    assert cluster.told() == [] and cluster.doubted == []
