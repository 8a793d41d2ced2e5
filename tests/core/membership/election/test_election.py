"""The properties of the election: of the machine by itself, and in virtual clusters of whole members."""

from __future__ import annotations

from random import Random
from typing import Any, TypeVar

import msgspec
import pytest

from kubesonar.core.membership.election.election import Election
from kubesonar.core.membership.election.options import ElectionOptions
from kubesonar.core.membership.events import (
    CoordinatorLost,
    Elected,
    Late,
    Leaving,
    Received,
    Send,
    WantLease,
)
from kubesonar.core.membership.instance import MembershipOptions
from kubesonar.core.membership.local_health import LocalHealth
from kubesonar.core.membership.member_view import MemberView, Rank
from kubesonar.core.membership.messages import Alive, Heartbeat, HeartbeatAck, StartElection, StepDown
from kubesonar.model import Condition, Member, State
from kubesonar.sim.playing import member
from kubesonar.sim.world import view_of
from tests.sim.cluster import Cluster

M = TypeVar("M")
HIGHEST = MembershipOptions(election=ElectionOptions(highest=True))


def electorate(members: int) -> MemberView:
    return view_of(member(f"m{n}") for n in range(1, members + 1))


def alone(name: str, members: int, options: ElectionOptions | None = None) -> Election:
    """One machine by itself, told of the members at time 0."""
    machine = Election(name, 100, options or ElectionOptions(), LocalHealth(8))
    machine.step(0.0, electorate(members))
    return machine


def sent(actions: list[Any], kind: type) -> list[str]:
    return [action.to for action in actions if isinstance(action, Send) and isinstance(action.message, kind)]


def said(actions: list[Any], kind: type[M]) -> list[M]:
    messages = [action.message for action in actions if isinstance(action, Send)]
    return [message for message in messages if isinstance(message, kind)]


# By itself


def test_the_first_in_rank_takes_the_office_when_those_behind_hear_nobody() -> None:
    machine = alone("m5", 5)
    calls = machine.step(2.0)
    assert sent(calls, StartElection) == ["m4", "m3", "m2"]
    number = said(calls, StartElection)[0].number
    assert machine.step(2.01, Received("m4", 1, Alive(number))) == []
    machine.step(2.02, Received("m3", 1, Alive(number)))
    taken = machine.step(2.03, Received("m2", 1, Alive(number)))
    assert taken[:2] == [Elected("m5", 100, True), WantLease(True)]
    assert sent(taken, Heartbeat) == ["m1", "m2", "m3", "m4"]


def test_a_caller_gives_way_to_one_that_ranks_higher_and_answers() -> None:
    machine = alone("m1", 5)
    calls = machine.step(2.0)
    assert sent(calls, StartElection) == ["m5", "m4", "m3"]
    number = said(calls, StartElection)[0].number
    machine.step(2.1, Received("m4", 1, Alive(number)))
    assert machine.step(2.5) == []  # it waits for the takeover
    assert machine.step(2.9, Received("m4", 1, Heartbeat(1, 1.0))) == [
        Elected("m4", 1, False),
        Send("m4", HeartbeatAck(1)),
    ]


def test_one_that_was_called_and_does_not_take_the_office_is_passed_over() -> None:
    machine = alone("m1", 3)
    calls = machine.step(2.0)
    number = said(calls, StartElection)[0].number
    machine.step(2.1, Received("m3", 1, Alive(number)))
    again = machine.step(3.2)
    assert sent(again, StartElection) == ["m2"]


def test_a_member_that_has_just_started_neither_votes_nor_stands_yet() -> None:
    machine = alone("m3", 3)
    assert machine.step(0.5, Received("m1", 1, Heartbeat(1, 1.0))) == [Elected("m1", 1, False)]
    answer = machine.step(0.6, Received("m2", 1, StartElection(9)))
    assert [one.stands for one in said(answer, Alive)] == [False]
    assert sent(machine.step(1.6, Received("m1", 1, Heartbeat(2, 1.0))), HeartbeatAck) == ["m1"]


def test_a_promise_binds_until_it_has_run_out_or_the_coordinator_resigns() -> None:
    machine = alone("m1", 5)
    machine.step(1.6, Received("m4", 1, Heartbeat(7, 1.0)))
    assert sent(machine.step(2.9, Received("m5", 1, Heartbeat(1, 1.0))), HeartbeatAck) == []
    machine.step(3.2)
    assert sent(machine.step(3.2, Received("m5", 1, Heartbeat(2, 1.0))), HeartbeatAck) == ["m5"]
    machine.step(3.3, Received("m5", 1, StepDown(1, "m4")))
    assert sent(machine.step(3.4, Received("m4", 1, Heartbeat(8, 1.0))), HeartbeatAck) == ["m4"]


def test_a_beacon_that_was_overtaken_by_a_later_one_is_not_answered() -> None:
    machine = alone("m1", 3)
    machine.step(2.0, Received("m3", 1, Heartbeat(5, 1.0)))
    assert machine.step(2.1, Received("m3", 1, Heartbeat(4, 1.0))) == []


def test_messages_of_strangers_are_ignored() -> None:
    machine = alone("m1", 3)
    assert machine.step(1.0, Received("m99", 1, Heartbeat(1, 1.0))) == []
    assert machine.step(1.0, Received("m99", 1, StartElection(1))) == []


def test_a_vacant_office_is_filled_at_once_and_hearsay_from_before_does_not_count() -> None:
    machine = alone("m1", 3)
    machine.step(2.0, Received("m3", 7, Heartbeat(5, 1.0)))
    calls = machine.step(2.5, CoordinatorLost("m3", 7))
    assert calls[0] == Elected("", 0, False)
    assert sent(calls, StartElection) == ["m2"]
    number = said(calls, StartElection)[0].number
    assert machine.step(2.6, Received("m2", 1, Alive(number, "m3", 7, age=0.6))) == []
    assert said(machine.step(2.6, Received("m2", 1, StartElection(1))), Alive)[0].coordinator == ""


def test_a_member_that_was_frozen_gives_the_coordinator_time_to_be_heard() -> None:
    machine = alone("m1", 3)
    machine.step(2.0, Received("m3", 1, Heartbeat(5, 1.0)))
    assert machine.step(60.0, Late(57.0)) == []
    assert sent(machine.step(60.1, Received("m3", 1, Heartbeat(63, 1.0))), HeartbeatAck) == ["m3"]


def test_an_office_that_is_handed_over_in_the_middle_of_a_ballot_is_taken_once() -> None:
    machine = alone("m2", 4)
    machine.step(2.0, Received("m3", 1, Heartbeat(5, 1.0)))
    assert sent(machine.step(4.3), StartElection) == ["m4"]
    taken = machine.step(4.4, Received("m3", 1, StepDown(5, "m2")))
    assert Elected("m2", 100, True) in taken
    later = [action for step in range(45, 80) for action in machine.step(step / 10)]
    assert not any(isinstance(action, Elected) for action in later)
    assert len(sent(later, Heartbeat)) <= len(set(said(later, Heartbeat))) * 3 * 2  # each once more, as nobody answers


def test_who_leaves_hands_the_office_over_and_says_nothing_more() -> None:
    machine = alone("m3", 3)
    machine.step(2.0)
    machine.step(3.0)
    machine.step(3.1)
    number = said(machine.step(4.0), Heartbeat)[0].number
    for name, epoch in (("m1", 5), ("m2", 4)):
        machine.step(4.01, Received(name, epoch, HeartbeatAck(number)))
    left = machine.step(4.02, Leaving())
    assert {one.successor for one in said(left, StepDown)} == {"m1"}
    assert WantLease(False) in left
    assert machine.step(60.0, Received("m1", 5, StartElection(1))) == []


# In a cluster


@pytest.mark.parametrize("members", [1, 2, 3, 15, 60])
def test_members_that_start_at_the_same_time_agree_on_one(members: int) -> None:
    cluster = Cluster(members, seed=members).started(within=0.0)
    machines = [node.machine for node in cluster.running() if node.machine]
    assert {machine.coordinator for machine in machines} == {cluster.coordinator}
    assert len(cluster.elected) == 1


def test_an_incumbent_that_is_heard_stays_when_a_higher_one_comes() -> None:
    cluster = Cluster(5)
    for name in ("m1", "m2", "m3"):
        cluster.world.start(name)
    cluster.run(10)
    assert cluster.coordinator == "m3"
    cluster.world.start("m4")
    cluster.world.start("m5")
    assert cluster.run(20).coordinator == "m3"


def test_the_highest_takes_over_where_that_is_wanted() -> None:
    cluster = Cluster(5, options=HIGHEST)
    for name in ("m1", "m2", "m3"):
        cluster.world.start(name)
    assert cluster.run(10).coordinator == "m3"
    cluster.world.start("m5")
    assert cluster.run(10).coordinator == "m5"
    cluster.world.start("m4")
    assert cluster.run(20).coordinator == "m5"


@pytest.mark.parametrize(("order", "first"), [(Rank.NATURAL, "m10"), (Rank.BYTES, "m9")])
def test_the_order_of_ids_is_a_parameter(order: Rank, first: str) -> None:
    options = MembershipOptions(election=ElectionOptions(order=order, highest=True))
    assert Cluster(10, options=options).started(settle=10).coordinator == first


@pytest.mark.parametrize("members", [5, 60])
def test_a_silent_coordinator_is_replaced_within_three_seconds(members: int) -> None:
    cluster = Cluster(members, seed=3).started()
    cluster.world.network.cut.add(cluster.coordinator)
    cut = cluster.world.now
    cluster.run(10)
    replaced = next(at for at, name in cluster.elected if at > cut and name not in cluster.world.network.cut)
    assert replaced - cut < 3
    assert cluster.coordinator not in cluster.world.network.cut


def test_a_restarted_coordinator_is_a_new_member() -> None:
    cluster = Cluster(5, seed=4).started()
    old = cluster.coordinator
    cluster.world.kill(old)
    cluster.world.start(old)
    cluster.run(3)
    assert cluster.coordinator != old  # nobody took the new one for the old
    machine = cluster.world.nodes[old].machine
    assert machine is not None
    assert machine.coordinator == cluster.coordinator


def test_after_a_split_has_healed_the_coordinator_of_the_larger_part_stays() -> None:
    cluster = Cluster(9, seed=5).started()
    old = cluster.coordinator
    others = [name for name in cluster.world.nodes if name != old]
    cluster.world.network.parts = dict.fromkeys([old, *others[:3]], 1)
    cluster.run(6)
    assert (new := cluster.coordinator) in others[3:]
    cluster.world.network.heal()
    assert cluster.run(5).coordinator == new
    machine = cluster.world.nodes[old].machine
    assert machine is not None
    assert machine.coordinator == new


@pytest.mark.parametrize("to_follower", [True, False])
def test_one_way_links_elect_nobody_else(to_follower: bool) -> None:
    cluster = Cluster(7, seed=6).started()
    head = cluster.coordinator
    follower = next(name for name in cluster.world.nodes if name != head)
    cluster.world.network.blocked = {(head, follower) if to_follower else (follower, head)}
    cluster.run(60)
    assert cluster.coordinator == head
    assert len(cluster.elected) == 1
    assert cluster.said == []


def test_a_deaf_coordinator_makes_room() -> None:
    cluster = Cluster(5, seed=7).started()
    head = cluster.coordinator
    cluster.world.network.blocked = {(name, head) for name in cluster.world.nodes}
    assert cluster.run(20).coordinator != head
    assert (head, Condition.MINORITY) in cluster.doubted


def test_slow_links_elect_nobody_else() -> None:
    cluster = Cluster(5, seed=8).started()
    cluster.world.network.delay = 0.2
    cluster.run(60)
    assert len(cluster.elected) == 1
    assert cluster.said == []


def test_clocks_that_jump_elect_nobody_else() -> None:
    cluster = Cluster(5, seed=9).started()
    for name in cluster.world.nodes:
        cluster.world.jump(name, 100.0)
        cluster.run(3)
    assert len(cluster.elected) == 1
    assert cluster.said == []


def test_a_draining_coordinator_hands_over_at_once() -> None:
    cluster = Cluster(5, seed=10).started()
    head, at = cluster.coordinator, cluster.world.now
    drained = [
        member(one.name, one.zone) if one.name != head else _draining(head, one.zone) for one in cluster.world.members
    ]
    cluster.world.populate(drained)
    cluster.run(3)
    assert cluster.coordinator != head
    assert cluster.elected[-1][0] - at < 0.1


def _draining(name: str, zone: str) -> Member:
    return msgspec.structs.replace(member(name, zone), state=State.DRAINING)


def test_a_rolling_restart_hands_the_office_on_once_at_most_twice() -> None:
    cluster = Cluster(15, seed=11).started()
    for name in list(cluster.world.nodes):
        cluster.world.leave(name)
        cluster.world.start(name)
        cluster.run(4)
    assert len(cluster.elected) <= 3
    assert cluster.said == []
    assert cluster.oracles.complaints == []


def test_only_the_coordinator_talks_to_all() -> None:
    cluster = Cluster(200, seed=12).started()
    head = cluster.coordinator
    before = {name: node.sent for name, node in cluster.world.nodes.items()}
    cluster.run(30)
    rates = {name: (node.sent - before[name]) / 30 for name, node in cluster.world.nodes.items()}
    assert 199 <= rates.pop(head) <= 210
    assert max(rates.values()) < 10


@pytest.mark.parametrize("seed", range(8))
def test_an_election_costs_messages_linear_in_members(seed: int) -> None:
    def cost(members: int) -> float:
        cluster = Cluster(members, seed=seed).started()
        cluster.world.network.cut.add(cluster.coordinator)
        before = cluster.world.messages
        return (cluster.run(6).world.messages - before) / members

    assert cost(120) < 2 * cost(30)


def test_two_coordinators_never_announce_at_once_however_the_network_breaks() -> None:
    cluster = Cluster(9, seed=13).started()
    rng = Random(13)
    names = list(cluster.world.nodes)
    for _ in range(60):
        cluster.world.network.blocked = {(rng.choice(names), rng.choice(names)) for _ in range(rng.randint(0, 30))}
        if rng.random() < 0.3:
            cluster.world.network.parts = dict.fromkeys(rng.sample(names, 4), 1)
        cluster.run(rng.random() * 4)
        assert len(cluster.oracles.announcing()) <= 1
        cluster.world.network.heal()
        cluster.run(rng.random())
        assert len(cluster.oracles.announcing()) <= 1
