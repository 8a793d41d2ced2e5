"""The properties of suspicion and announcing: of evidence by itself, and in virtual clusters of whole members."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from kubesonar.core.membership.events import (
    Elected,
    HostProbed,
    Late,
    Leased,
    ProbeHost,
    Received,
    Refuted,
    Send,
    Throttled,
)
from kubesonar.core.membership.instance import MembershipOptions
from kubesonar.core.membership.local_health import LocalHealth
from kubesonar.core.membership.messages import (
    Ack,
    Ping,
    PingReq,
    PingReqReply,
    Reachability,
    Seen,
    StatusClaim,
    StatusClaimAck,
)
from kubesonar.core.membership.notices import notice_id
from kubesonar.core.membership.swim.agreement import ProbeReport, agree, named_witnesses
from kubesonar.core.membership.swim.failure_detector import FailureDetector
from kubesonar.core.membership.swim.options import SuspicionOptions
from kubesonar.model import Condition, Member, State
from kubesonar.sim.playing import member
from kubesonar.sim.world import view_of
from tests.sim.cluster import Cluster

DEAD, GONE, FROZEN, BACK = Condition.DEAD, Condition.GONE, Condition.FROZEN, Condition.BACK


# Evidence


def word(sight: Reachability, zone: str = "a", weight: float = 1.0) -> ProbeReport:
    return ProbeReport(f"{sight}-{zone}", zone, sight, weight)


@pytest.mark.parametrize(
    ("sights", "found"),
    [
        ([Reachability.SILENT] * 3, DEAD),
        ([Reachability.REFUSED] * 3, GONE),
        ([Reachability.KERNEL] * 3, FROZEN),
        ([Reachability.SILENT, Reachability.SILENT, Reachability.AGENT], BACK),
        ([Reachability.SILENT, Reachability.SILENT, Reachability.SILENT, Reachability.KERNEL], None),
        ([Reachability.SILENT, Reachability.KERNEL, Reachability.KERNEL, Reachability.KERNEL], FROZEN),
        ([Reachability.SILENT, Reachability.SILENT], None),
        ([Reachability.SILENT, Reachability.SILENT, Reachability.UNABLE], None),
        ([], None),
    ],
)
def test_what_follows_from_what_was_seen(sights: list[Reachability], found: Condition | None) -> None:
    assert agree([word(sight, zone) for sight, zone in zip(sights, "abcd", strict=False)], 3, 2) is found


def test_witnesses_have_to_be_of_so_many_zones() -> None:
    said = [ProbeReport(name, "a", Reachability.SILENT, 1.0) for name in ("x", "y", "z")]
    assert agree(said, 3, 2) is None
    assert agree(said, 3, 1) is DEAD
    assert agree([*said[:2], word(Reachability.SILENT, "b")], 3, 2) is DEAD


def test_a_starved_witness_weighs_less() -> None:
    said = [word(Reachability.SILENT, "a"), word(Reachability.SILENT, "b"), word(Reachability.SILENT, "c", 0.5)]
    assert agree(said, 3, 2) is None
    assert agree([*said, word(Reachability.SILENT, "d", 0.5)], 3, 2) is DEAD


def test_a_claim_names_those_that_could_tell() -> None:
    said = [word(Reachability.UNABLE), word(Reachability.SILENT, "b"), word(Reachability.SILENT, "c")]
    assert named_witnesses(said)[:1] == (Seen("silent-b", Reachability.SILENT),)


# By itself


def watcher() -> FailureDetector:
    """m1 of m1 to m5, which knows m2 (epoch 7, incarnation 0) and has the coordinator m5."""
    machine = FailureDetector("m1", SuspicionOptions(watched=1, interval=60), LocalHealth(8))
    machine.step(0.0, view_of(member(f"m{n}", f"z{n % 2}") for n in range(1, 6)))
    machine.step(0.0, Elected("m5", 1, False))
    return machine


def claims(actions: list[Any]) -> list[Any]:
    return [action for action in actions if isinstance(action, Send) and isinstance(action.message, StatusClaim)]


def open_case(machine: FailureDetector) -> tuple[str, int]:
    """Lets a ping go unanswered; returns whom it was about, and the number of the round."""
    (first,) = machine.step(60.0)
    machine.step(60.0, Received(first.to, 7, Ack(first.message.number)))
    (ping,) = machine.step(120.0)
    assert [action.to for action in machine.step(120.25)] == [ping.to]  # once more, in case it was lost
    opened = machine.step(120.5)
    assert Send(ping.to, Ping(opened[0].message.number, Condition.SUSPECT)) == opened[0]  # it is told
    (look,) = [action for action in opened if isinstance(action, ProbeHost)]
    assert {action.to for action in opened if isinstance(getattr(action, "message", None), PingReq)} == {
        "m2",
        "m3",
        "m4",
        "m5",
    } - {ping.to}
    return ping.to, look.number


def test_a_missed_answer_is_confirmed_by_others_before_it_is_claimed() -> None:
    machine = watcher()
    name, number = open_case(machine)
    machine.step(120.6, HostProbed(number, name, Reachability.SILENT))
    others = [other for other in ("m2", "m3", "m4", "m5") if other != name]
    machine.step(120.7, Received(others[0], 1, PingReqReply(number, name, Reachability.SILENT)))
    assert claims(machine.step(121.5)) == []
    (claimed,) = claims(machine.step(121.6, Received(others[1], 1, PingReqReply(number, name, Reachability.SILENT))))
    assert claimed.to == "m5"
    assert claimed.message == StatusClaim(
        name, 7, 0, DEAD, 121.6 - 120.0, False, tuple(Seen(one, Reachability.SILENT) for one in ("m1", *others[:2]))
    )


@pytest.mark.parametrize("by_witness", [True, False])
def test_a_suspected_member_that_answers_anybody_is_not_claimed(by_witness: bool) -> None:
    machine = watcher()
    name, number = open_case(machine)
    machine.step(120.6, HostProbed(number, name, Reachability.KERNEL))
    others = [other for other in ("m2", "m3", "m4", "m5") if other != name]
    for other in others[:2]:
        machine.step(120.7, Received(other, 1, PingReqReply(number, name, Reachability.KERNEL)))
    if by_witness:
        machine.step(120.8, Received(others[2], 1, PingReqReply(number, name, Reachability.AGENT, 1.0, 7, 0)))
    else:
        machine.step(120.8, Received(name, 7, Ack(0)))
    assert machine.suspected == {}
    assert claims(machine.step(123.0)) == []


def test_a_claim_is_repeated_until_it_is_noted_and_said_again_to_a_new_coordinator() -> None:
    machine = watcher()
    name, number = open_case(machine)
    machine.step(120.6, HostProbed(number, name, Reachability.SILENT))
    others = [other for other in ("m2", "m3", "m4", "m5") if other != name]
    for other in others:
        machine.step(120.7, Received(other, 1, PingReqReply(number, name, Reachability.SILENT)))
    first = StatusClaim(
        name, 7, 0, DEAD, 1.5, False, tuple(Seen(one, Reachability.SILENT) for one in ("m1", *others[:2]))
    )
    assert claims(machine.step(121.5)) == [Send("m5", first)]
    assert claims(machine.step(122.5)) == [Send("m5", msgspec.structs.replace(first, silent=2.5))]
    machine.step(122.6, Received("m5", 1, StatusClaimAck(name, 7, 0, DEAD, told=True)))
    assert claims(machine.step(124.6)) == []
    successor = "m4" if name != "m4" else "m3"
    (again,) = claims(machine.step(124.7, Elected(successor, 1, False)))
    assert (again.to, again.message.told) == (successor, True)


def test_who_asks_for_a_witness_is_told_what_is_seen() -> None:
    machine = watcher()
    asked = machine.step(1.0, Received("m2", 1, PingReq(9, "m3")))
    look = next(action for action in asked if isinstance(action, ProbeHost))
    assert machine.step(1.1, HostProbed(look.number, "m3", Reachability.REFUSED)) == []
    machine.step(1.25)
    machine.step(1.5)
    assert machine.step(1.65) == [Send("m2", PingReqReply(9, "m3", Reachability.REFUSED))]
    ping = next(a.message for a in machine.step(2.0, Received("m4", 1, PingReq(5, "m3"))) if isinstance(a, Send))
    assert isinstance(ping, Ping)
    assert machine.step(2.1, Received("m3", 8, Ack(ping.number, 2))) == [
        Send("m4", PingReqReply(5, "m3", Reachability.AGENT, 1.0, 8, 2))
    ]


def test_a_starved_member_is_no_witness_and_judges_nobody_for_what_it_missed() -> None:
    machine = watcher()
    machine.step(1.0, Received("m2", 1, PingReq(9, "m3")))
    assert machine.step(9.0, Late(8.0))[0] == Send("m2", PingReqReply(9, "m3", Reachability.UNABLE, 0.0))
    (first,) = [action for action in machine.step(60.0) if isinstance(action, Send)]
    machine.step(70.0, Late(10.0))
    machine.step(70.1)
    assert machine.suspected == {}
    assert isinstance(first.message, Ping)


def test_a_throttled_member_waits_longer_for_an_answer() -> None:
    machine = watcher()
    machine.step(1.0, Throttled(0.5))
    (first,) = machine.step(60.0)
    machine.step(60.1, Received(first.to, 7, Ack(first.message.number)))
    (ping,) = machine.step(120.0)
    assert machine.step(120.25) == []
    assert [action.to for action in machine.step(120.5)] == [ping.to]  # once more, half-way
    machine.step(120.9)
    assert machine.suspected == {}
    machine.step(121.0)
    assert list(machine.suspected) == [ping.to]


def test_a_member_held_for_dead_refutes_in_a_later_incarnation() -> None:
    machine = watcher()
    assert machine.step(1.0, Received("m2", 1, Ping(4))) == [Send("m2", Ack(4, 0))]
    assert machine.step(1.0, Received("m2", 1, Ping(5, FROZEN, 0))) == [Refuted(1), Send("m2", Ack(5, 1))]
    assert machine.step(1.0, Received("m3", 1, Ping(6, FROZEN, 0))) == [Send("m3", Ack(6, 1))]
    assert machine.step(1.0, Received("m3", 1, Ping(7, DEAD, 1))) == [Refuted(2), Send("m3", Ack(7, 2))]


# In a cluster


@pytest.mark.parametrize("members", [5, 15, 60])
@pytest.mark.parametrize(("fault", "what"), [("kill", GONE), ("cut", DEAD), ("off", DEAD), ("freeze", FROZEN)])
def test_each_way_to_die_is_told_by_its_name_within_five_seconds(members: int, fault: str, what: Condition) -> None:
    for seed in range(3):
        cluster = Cluster(members, seed=seed).started()
        name = next(name for name in cluster.world.nodes if name != cluster.coordinator)
        _do(cluster, fault, name)
        at = cluster.world.now
        cluster.run(10)
        assert cluster.told() == [(name, what)]
        assert cluster.said[0][0] - at < 5


def _do(cluster: Cluster, fault: str, name: str) -> None:
    if fault == "cut":
        cluster.world.network.cut.add(name)
    else:
        {"kill": cluster.world.kill, "off": cluster.world.power_off, "freeze": cluster.world.pause}[fault](name)


@pytest.mark.parametrize("fault", ["kill", "off", "freeze"])
def test_the_coordinators_death_is_told_by_its_successor(fault: str) -> None:
    cluster = Cluster(9, seed=2).started()
    name, at = cluster.coordinator, cluster.world.now
    _do(cluster, fault, name)
    cluster.run(10)
    assert [one for one, _ in cluster.told()] == [name]
    assert cluster.said[0][0] - at < 5
    assert cluster.said[0][1] == cluster.coordinator


def test_what_the_predecessor_could_not_tell_its_successor_does_with_the_same_id() -> None:
    cluster = Cluster(9, seed=3).started()
    first = cluster.coordinator
    name = next(name for name in cluster.world.nodes if name != first)
    node = cluster.world.nodes[name]
    cluster.world.power_off(name)
    cluster.run(1.5)
    assert cluster.said == []
    cluster.world.power_off(first)
    cluster.run(10)
    assert sorted(cluster.told()) == sorted([(name, DEAD), (first, DEAD)])
    assert notice_id(name, node.epoch, DEAD, 0) in cluster.ids


def test_each_transition_is_told_once_and_has_its_own_id() -> None:
    cluster = Cluster(7, seed=4).started()
    name = next(name for name in cluster.world.nodes if name != cluster.coordinator)
    for _ in range(3):
        cluster.world.pause(name)
        cluster.run(8)
        cluster.world.resume(name)
        cluster.run(8)
    assert cluster.told() == [(name, FROZEN), (name, BACK)] * 3
    assert len(set(cluster.ids)) == 6


def test_told_deaths_are_not_told_again_by_the_next_coordinator() -> None:
    cluster = Cluster(9, seed=5).started()
    name = next(name for name in cluster.world.nodes if name != cluster.coordinator)
    cluster.world.kill(name)
    cluster.run(8)
    old = cluster.coordinator
    cluster.world.leave(old)
    cluster.run(10)
    assert cluster.coordinator != old
    assert cluster.told() == [(name, GONE)]
    head = cluster.world.nodes[cluster.coordinator].machine
    assert head is not None
    assert head.conditions == {name: GONE}
    cluster.world.start(name)
    cluster.run(8)
    assert cluster.told() == [(name, GONE), (name, BACK)]


@pytest.mark.parametrize(
    "state", [State.ROLLING, State.DRAINING, State.CORDONED, State.UNSUPPORTED, State.DELETED, State.STARTING]
)
def test_expected_changes_are_no_deaths(state: State) -> None:
    cluster = Cluster(7, seed=6).started()
    name = next(name for name in cluster.world.nodes if name != cluster.coordinator)
    _populate(cluster, name, state)
    cluster.world.power_off(name)
    cluster.run(20)
    assert cluster.said == []


def test_being_not_ready_is_no_excuse() -> None:
    cluster = Cluster(7, seed=6).started()
    name = next(name for name in cluster.world.nodes if name != cluster.coordinator)
    cluster.world.power_off(name)
    cluster.run(2)
    _populate(cluster, name, State.NOT_READY)
    cluster.run(20)
    assert cluster.told() == [(name, Condition.DEAD)]


def test_a_member_that_was_excused_is_looked_at_again_when_it_should_serve() -> None:
    cluster = Cluster(7, seed=7).started()
    name = next(name for name in cluster.world.nodes if name != cluster.coordinator)
    _populate(cluster, name, State.DRAINING)
    cluster.world.power_off(name)
    cluster.run(20)
    _populate(cluster, name, State.SERVING)
    cluster.run(20)
    assert cluster.told() == [(name, DEAD)]


def _populate(cluster: Cluster, name: str, state: State) -> None:
    def now(one: Member) -> Member:
        return msgspec.structs.replace(one, state=state) if one.name == name else one

    cluster.world.populate([now(one) for one in cluster.world.members])


def test_a_member_that_the_roster_dropped_judges_nobody() -> None:
    cluster = Cluster(7, seed=21).started()
    name, other = [name for name in cluster.world.nodes if name != cluster.coordinator][:2]
    cluster.world.power_off(other)
    cluster.run(1)
    machine = cluster.world.nodes[name].machine
    assert machine is not None
    rest = [one for one in cluster.world.members if one.name != name]
    machine.step(cluster.world.now + cluster.world.nodes[name].offset, view_of(rest))
    cluster.run(10)
    assert machine.suspected == {}


def test_one_that_took_its_leave_is_not_called_dead() -> None:
    cluster = Cluster(7, seed=8).started()
    name = next(name for name in cluster.world.nodes if name != cluster.coordinator)
    cluster.world.leave(name)
    cluster.run(20)
    assert cluster.said == []


def test_one_that_never_came_is_announced_after_its_time_to_start() -> None:
    cluster = Cluster(6, seed=9)
    cluster.world.power_off("m2")
    cluster.started()
    assert cluster.said == []
    cluster.run(20)
    assert cluster.told() == [("m2", DEAD)]


def test_if_too_many_look_dead_at_once_only_that_is_said() -> None:
    cluster = Cluster(12, seed=10).started()
    head = cluster.coordinator
    others = [name for name in cluster.world.nodes if name != head][:4]
    cluster.world.network.cut.update(others)
    cluster.run(20)
    assert cluster.said == []
    assert (head, Condition.SUSPECT) in cluster.doubted
    cluster.world.network.heal()
    cluster.run(20)
    assert cluster.said == []
    assert cluster.doubted[-1][1] is BACK


def test_as_many_as_are_believed_are_announced() -> None:
    cluster = Cluster(12, seed=11).started()
    others = [name for name in cluster.world.nodes if name != cluster.coordinator][:3]
    for name in others:
        cluster.world.power_off(name)
    cluster.run(20)
    assert sorted(cluster.told()) == sorted((name, DEAD) for name in others)


def test_a_minority_announces_nobody_and_reports_itself() -> None:
    cluster = Cluster(9, seed=12).started()
    few = [name for name in cluster.world.nodes if name != cluster.coordinator][:2]
    cluster.world.network.parts = dict.fromkeys(few, 1)
    cluster.run(20)
    assert sorted(cluster.told()) == sorted((name, DEAD) for name in few)
    assert all(teller not in few for _, teller, _, _ in cluster.said)
    reporters = [name for name, what in cluster.doubted if what is Condition.MINORITY]
    assert len(reporters) == 1
    assert reporters[0] in few


def test_two_halves_announce_nobody() -> None:
    cluster = Cluster(8, seed=13).started()
    cluster.world.network.parts = dict.fromkeys(list(cluster.world.nodes)[:4], 1)
    cluster.run(60)
    assert cluster.said == []
    assert {what for _, what in cluster.doubted} == {Condition.MINORITY}


@pytest.mark.parametrize("zones", [1, 2, 5])
def test_deaths_are_told_whatever_the_zones(zones: int) -> None:
    cluster = Cluster(10, seed=14, zones=zones).started()
    name = next(name for name in cluster.world.nodes if name != cluster.coordinator)
    cluster.world.power_off(name)
    cluster.run(8)
    assert cluster.told() == [(name, DEAD)]


def test_a_whole_small_zone_that_dies_is_told() -> None:
    cluster = Cluster(10, seed=15, zones=5).started()
    zone = "z1" if cluster.world.nodes[cluster.coordinator].member.zone != "z1" else "z2"
    names = [node.name for node in cluster.world.nodes.values() if node.member.zone == zone]
    for name in names:
        cluster.world.power_off(name)
    cluster.run(15)
    assert sorted(cluster.told()) == sorted((name, DEAD) for name in names)


def test_a_member_cut_off_from_its_watchers_alone_is_not_dead() -> None:
    cluster = Cluster(9, seed=16).started()
    name = next(name for name in cluster.world.nodes if name != cluster.coordinator)
    others = [other for other in cluster.world.nodes if other != name][:3]
    cluster.world.network.blocked = {(name, other) for other in others} | {(other, name) for other in others}
    cluster.run(60)
    assert cluster.said == []


def test_starved_members_accuse_nobody() -> None:
    cluster = Cluster(12, seed=17).started()
    cluster.world.network.loss = 0.05
    names = list(cluster.world.nodes)
    for turn in range(60):
        cluster.world.starve(names[turn * 5 % 12], 0.3 + turn % 5 * 0.4)
        cluster.run(1.3)
    assert [name for name, what in cluster.told() if what in (DEAD, GONE)] == []
    assert cluster.oracles.complaints == []


def test_a_starved_member_stretches_its_own_timeouts() -> None:
    cluster = Cluster(5, seed=18).started()
    machine = cluster.world.nodes["m1"].machine
    assert machine is not None
    assert machine.health_score == 0
    cluster.world.pause("m1")
    cluster.run(6)
    cluster.world.resume("m1")
    assert machine.health_score > 3
    cluster.run(30)
    assert machine.health_score == 0


def test_without_stretching_a_member_never_doubts_itself() -> None:
    options = MembershipOptions(suspicion=SuspicionOptions(stretch=0))
    cluster = Cluster(5, seed=18, options=options).started()
    cluster.world.pause("m1")
    cluster.run(6)
    cluster.world.resume("m1")
    machine = cluster.world.nodes["m1"].machine
    assert machine is not None
    assert machine.health_score == 0


@pytest.mark.parametrize(("mine", "told"), [(True, 1), (False, 0), (None, 1)])
def test_the_lease_guards_what_is_announced_while_the_api_answers(mine: bool | None, told: int) -> None:
    cluster = Cluster(7, seed=19).started()
    head = cluster.coordinator
    cluster.world.feed(head, Leased(mine))
    cluster.world.kill(next(name for name in cluster.world.nodes if name != head))
    cluster.run(10)
    assert len(cluster.said) == told


def test_messages_a_member_do_not_grow_with_the_members() -> None:
    def rate(members: int) -> float:
        cluster = Cluster(members, seed=20).started()
        before = cluster.world.messages
        return (cluster.run(20).world.messages - before) / members / 20

    small, large = rate(10), rate(400)
    assert large < 1.2 * small
    assert large < 5
