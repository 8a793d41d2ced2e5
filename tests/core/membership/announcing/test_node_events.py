"""What befalls a whole node is told of the node, and so is how it ends, whoever is coordinator then."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product

import pytest

from kubesonar.core.membership.announcing.announcer import REVIEW_INTERVAL
from kubesonar.core.membership.announcing.node_events import RETURN_PATIENCE
from kubesonar.core.membership.announcing.renewals import RENEWAL
from kubesonar.core.membership.announcing.siblings import LIKELY_PATIENCE, NODE_PATIENCE, TOLD_PATIENCE
from kubesonar.core.membership.events import Announce, Delivered, Elected, FollowerHeard, Received, Remembered, Send
from kubesonar.core.membership.member_view import MemberView, by_identity
from kubesonar.core.membership.messages import StatusClaim, StatusClaimAck
from kubesonar.model import Condition, Member, Network
from tests.core.membership.announcing.coordinator import ME, WATCHER, Coordinator
from tests.sim.cluster import TwoNetworks

BACK, DEAD, FROZEN, LEFT = Condition.BACK, Condition.DEAD, Condition.FROZEN, Condition.LEFT
NETWORKS = (Network.HOST, Network.POD)
HOST, POD = "z/host/7473", "z/pod/7473"


def view(*nodes: str, networks: Iterable[Network] = NETWORKS) -> MemberView:
    return MemberView(
        by_identity(
            Member(f"{node}-{network.value}", node, ("10.0.0.1",), 7473, network)
            for node in nodes
            for network in (networks if node == "z" else NETWORKS)
        )
    )


EVERYBODY = view("a", "b", "c", "d", "e", "z")
WITHOUT_Z = view("a", "b", "c", "d", "e")


def held(name: str, what: Condition = FROZEN, *, of_node: bool = True) -> StatusClaim:
    """What watchers claim to a new coordinator of a member that an earlier one announced."""
    return StatusClaim(name, 7, 0, what, 60.0, told=True, of_node=of_node)


def ended(name: str, what: Condition = BACK, epoch: int = 8) -> StatusClaim:
    """What they claim when that has ended."""
    return StatusClaim(name, epoch, 1, what, ends=FROZEN, of_node=True)


def said(told: Iterable[Announce]) -> list[tuple[str, Condition]]:
    return [(one.node or one.member, one.what) for one in told]


def claimed(coordinator: Coordinator, begin: float, seconds: float, *claims: StatusClaim) -> list[Announce]:
    """The announcements of so many seconds in which these claims are repeated, as watchers do."""
    told: list[Announce] = []
    now = begin
    while now < begin + seconds:
        for claim in claims:
            told += coordinator.claim(now, claim)
        now += 3.0
        told += coordinator.until(now)
    return told


def acknowledged(coordinator: Coordinator) -> list[StatusClaimAck]:
    sent = (one.message for one in coordinator.sent if isinstance(one, Send) and one.to == WATCHER)
    return [message for message in sent if isinstance(message, StatusClaimAck)]


def test_who_claims_a_death_is_told_that_it_was_announced_of_the_node() -> None:
    coordinator = Coordinator(EVERYBODY)
    for name in (HOST, POD):
        coordinator.claim(1.0, StatusClaim(name, 7, 0, FROZEN, 3.0))
    assert said(coordinator.until(5.0)) == [("z", FROZEN)]
    assert {(ack.member, ack.of_node) for ack in acknowledged(coordinator)} == {(HOST, True), (POD, True)}
    assert [claim.of_node for claim in coordinator.machine.open_claims(6.0)] == [True, True]


def test_who_claims_it_later_is_told_so_too() -> None:
    coordinator = Coordinator(EVERYBODY)
    for name in (HOST, POD):
        coordinator.claim(1.0, StatusClaim(name, 7, 0, FROZEN, 3.0))
    coordinator.until(5.0)
    coordinator.feed(6.0, Received("c/pod/7473", 1, StatusClaim(HOST, 7, 0, FROZEN, 8.0)))
    (ack,) = [one.message for one in coordinator.sent if isinstance(one, Send) and one.to == "c/pod/7473"]
    assert isinstance(ack, StatusClaimAck)
    assert ack.of_node


@pytest.mark.parametrize("names", [(HOST, POD), (POD, HOST)], ids=["host first", "pod first"])
def test_a_return_that_a_new_coordinator_hears_first_is_told_of_the_node(names: tuple[str, str]) -> None:
    coordinator = Coordinator(EVERYBODY)
    told = coordinator.claim(1.0, ended(names[0]))
    told += coordinator.until(4.0)
    told += coordinator.claim(4.0, ended(names[1]))
    told += coordinator.until(60.0)
    assert said(told) == [("z", BACK)]
    assert {told[0].member, *told[0].members} == {HOST, POD}


def test_a_coordinator_that_knew_one_agent_silent_and_the_other_back_tells_one_return() -> None:
    coordinator = Coordinator(EVERYBODY)
    told = claimed(coordinator, 1.0, 3.0, held(POD), ended(HOST))
    assert said(told + claimed(coordinator, 4.0, 30.0, ended(POD), ended(HOST))) == [("z", BACK)]


@pytest.mark.parametrize("later", [0.0, TOLD_PATIENCE + 2])
def test_after_an_election_a_node_of_which_one_agent_returns_is_told_back_and_the_other_again(later: float) -> None:
    coordinator = Coordinator(EVERYBODY)
    assert claimed(coordinator, 1.0, later, held(POD)) == []
    told = claimed(coordinator, 1.0 + later, 18.0, ended(HOST), held(POD))
    assert said(told) == [("z", BACK), (POD, FROZEN)]
    assert acknowledged(coordinator)[-1].of_node is False, "from now on it is told of the agent"
    assert said(claimed(coordinator, 50.0, 9.0, ended(POD))) == [(POD, BACK)]


def test_a_return_of_which_nobody_says_more_is_told_of_the_node_after_a_while_and_once() -> None:
    coordinator = Coordinator(EVERYBODY)
    told = claimed(coordinator, 1.0, RETURN_PATIENCE + 3, ended(HOST))
    assert said(told) == [("z", BACK)]
    assert coordinator.claim(30.0, ended(POD)) + coordinator.until(60.0) == []


def test_a_coordinator_whose_roster_has_one_of_the_agents_tells_the_return_of_the_node() -> None:
    coordinator = Coordinator(view("a", "b", "c", "d", "e", "z", networks=[Network.HOST]))
    assert said(coordinator.claim(1.0, ended(HOST)) + coordinator.until(3.0)) == [("z", BACK)]


def test_a_coordinator_of_one_network_tells_the_return_of_the_node_by_its_agent() -> None:
    coordinator = Coordinator(EVERYBODY, frozenset({Network.POD}))
    coordinator.claim(1.0, held(POD))
    coordinator.until(TOLD_PATIENCE)
    assert said(coordinator.claim(13.0, ended(POD)) + coordinator.until(15.0)) == [("z", BACK)]


def test_what_was_told_of_one_agent_alone_ends_alone() -> None:
    coordinator = Coordinator(EVERYBODY)
    lone = StatusClaim(POD, 8, 1, BACK, ends=DEAD)
    assert said(coordinator.claim(1.0, lone) + coordinator.until(3.0)) == [(POD, BACK)]
    assert coordinator.claim(4.0, StatusClaim(HOST, 8, 1, BACK)) + coordinator.until(60.0) == []


def test_a_watcher_that_knew_of_no_announcement_does_not_keep_back_one_that_did() -> None:
    coordinator = Coordinator(EVERYBODY)
    told = coordinator.claim(1.0, StatusClaim(HOST, 8, 1, BACK)) + coordinator.until(2.0)
    assert told == []
    told = coordinator.claim(2.0, ended(HOST)) + coordinator.claim(2.0, ended(POD)) + coordinator.until(5.0)
    assert said(told) == [("z", BACK)]
    assert coordinator.claim(6.0, ended(HOST)) + coordinator.claim(6.0, ended(HOST, epoch=9)) == []
    assert coordinator.until(60.0) == []


def test_a_new_coordinator_renews_what_was_told_of_a_node_as_such() -> None:
    coordinator = Coordinator(EVERYBODY)
    coordinator.claim(1.0, held(POD))
    coordinator.claim(1.0, held(HOST))
    coordinator.until(RENEWAL + 1)
    assert coordinator.renewed() == [("z", FROZEN)]


@pytest.mark.parametrize("known", [True, False], ids=["known", "started since"])
def test_a_node_that_left_during_an_election_is_told_once(known: bool) -> None:
    coordinator = Coordinator(EVERYBODY if known else WITHOUT_Z)
    coordinator.feed(10.0, Elected("", 0, False))
    coordinator.feed(11.0, WITHOUT_Z)
    coordinator.feed(12.0, Elected(ME, 1, True))
    told = coordinator.claim(13.0, ended(HOST, LEFT)) + coordinator.claim(14.0, ended(POD, LEFT))
    assert said(told + coordinator.until(60.0)) == [("z", LEFT)]


def dies(coordinator: Coordinator, now: float, *names: str, silent: float = 1.5) -> list[Announce]:
    return [one for name in names for one in coordinator.claim(now, StatusClaim(name, 7, 0, DEAD, silent))]


def test_who_was_heard_just_before_the_claim_came_may_have_died_with_the_other() -> None:
    coordinator = Coordinator(EVERYBODY)
    coordinator.feed(99.2, FollowerHeard(POD, 99.2, 7, 0))  # as of a node that died at 99.3, one ping lost before
    told = dies(coordinator, 100.0, HOST) + coordinator.until(101.0)
    told += dies(coordinator, 101.5, POD)
    assert said(told + coordinator.until(110.0)) == [("z", DEAD)]


def test_who_is_heard_after_the_claim_came_is_told_to_answer() -> None:
    coordinator = Coordinator(EVERYBODY)
    dies(coordinator, 100.0, POD)
    coordinator.feed(100.1, FollowerHeard(HOST, 100.1, 7, 0))
    (told,) = coordinator.until(101.0)
    assert (told.member, told.node, told.answering) == (POD, "", (HOST,))


def test_a_network_whose_majority_is_missing_for_a_moment_is_still_waited_for() -> None:
    coordinator = Coordinator(EVERYBODY)
    coordinator.claim(1.0, StatusClaim("c/pod/7473", 7, 0, DEAD, 1.5))
    coordinator.until(8.0)
    coordinator.networks = frozenset({Network.HOST})
    told = dies(coordinator, 9.0, HOST, POD) + coordinator.until(11.0)
    coordinator.networks = frozenset(NETWORKS)
    assert said(told + coordinator.until(13.0)) == [("z", DEAD)]


@pytest.mark.parametrize("later", [NODE_PATIENCE - 1, NODE_PATIENCE + 2])
def test_who_the_coordinator_sees_silent_too_is_waited_for_longer(later: float) -> None:
    coordinator = Coordinator(EVERYBODY)
    told: list[Announce] = []
    for step in range(int(later)):
        told += dies(coordinator, 1.0 + step, HOST, silent=1.5 + step) + coordinator.until(2.0 + step)
    told += dies(coordinator, 1.0 + later, POD)
    assert said(told + coordinator.until(20.0)) == [("z", DEAD)]


def test_who_nobody_claims_is_not_waited_for_for_ever() -> None:
    coordinator = Coordinator(EVERYBODY)
    told: list[Announce] = []
    for step in range(int(LIKELY_PATIENCE) + 3):
        told += dies(coordinator, 1.0 + step, HOST, silent=1.5 + step) + coordinator.until(2.0 + step)
    assert said(told) == [(HOST, DEAD)]


def test_an_agent_that_is_gone_does_not_freeze() -> None:
    coordinator = Coordinator(EVERYBODY)
    gone = [StatusClaim(name, 7, 0, Condition.GONE, 1.5) for name in (HOST, POD)]
    assert said(claimed(coordinator, 1.0, 3.0, *gone)) == [("z", Condition.GONE)]
    frozen = StatusClaim(POD, 7, 0, FROZEN, 9.0)
    assert claimed(coordinator, 10.0, 9.0, frozen) == []
    assert said(claimed(coordinator, 20.0, 3.0, *(StatusClaim(name, 8, 0, BACK) for name in (HOST, POD)))) == [
        ("z", BACK)
    ]
    again = [StatusClaim(name, 8, 0, FROZEN, 1.5) for name in (HOST, POD)]
    assert said(claimed(coordinator, 40.0, 6.0, *again)) == [("z", FROZEN)], "a new agent does"


def test_that_an_announcement_was_delivered_is_said_twice_as_one_may_be_lost() -> None:
    coordinator = Coordinator(EVERYBODY)
    (told,) = claimed(coordinator, 1.0, 3.0, held(HOST), StatusClaim(POD, 7, 0, FROZEN, 1.5))
    before = len(acknowledged(coordinator))
    coordinator.feed(4.5, Delivered(told.id))
    coordinator.until(4.5 + 2 * REVIEW_INTERVAL)
    assert [ack.member for ack in acknowledged(coordinator)[before:] if ack.told] == [HOST, POD] * 2


# In a cluster


class FallenNode:
    """A cluster of five nodes that has told of a whole node that it is frozen, or dead."""

    def __init__(self, *, frozen: bool, coordinator: bool, seed: int = 1) -> None:
        self.cluster = TwoNetworks(5, seed).started()
        leading = int(self.cluster.coordinator[1:])
        self.number = leading if coordinator else leading % 5 + 1
        self.node, self.frozen = f"node-{self.number}", frozen
        for name in self.cluster.node(self.number):
            (self.cluster.world.pause if frozen else self.cluster.world.power_off)(name)
        self.cluster.run(12)
        assert self.cluster.told() == [(self.node, FROZEN if frozen else DEAD)]
        self.cluster.said.clear()

    def unseat(self, seconds: float = 15.0) -> None:
        """Keep the coordinator from running for a while, so that another one is elected."""
        for head in self.cluster.oracles.announcing():
            self.cluster.world.starve(head, seconds)

    def returns(self, *names: str) -> None:
        """Let the node's members, or these of them, run again."""
        for name in names or self.cluster.node(self.number):
            (self.cluster.world.resume if self.frozen else self.cluster.world.power_on)(name)

    def told(self) -> list[tuple[str, Condition]]:
        """What was told of the node or its members since."""
        return [one for one in self.cluster.told() if one[0] in (self.node, *self.cluster.node(self.number))]


FALLS = [(True, True), (True, False), (False, True), (False, False)]


@pytest.mark.parametrize("lead", [-2.5, -1.5, -0.5, 0.5, 2.0, 3.0])
@pytest.mark.parametrize(("frozen", "coordinator"), FALLS)
def test_a_node_that_returns_while_the_office_changes_hands_is_one_notice(
    frozen: bool, coordinator: bool, lead: float
) -> None:
    fallen = FallenNode(frozen=frozen, coordinator=coordinator)
    cluster = fallen.cluster
    if lead > 0:
        fallen.unseat()
        cluster.run(lead)
        fallen.returns()
    else:
        fallen.returns()
        cluster.run(-lead)
        fallen.unseat()
    cluster.run(40)
    assert fallen.told() == [(fallen.node, BACK)]
    assert cluster.oracles.complaints == []


@pytest.mark.parametrize("pause", [2.5, 4.0])
@pytest.mark.parametrize(("frozen", "coordinator"), FALLS)
def test_two_elections_before_it_returns_change_nothing(frozen: bool, coordinator: bool, pause: float) -> None:
    fallen = FallenNode(frozen=frozen, coordinator=coordinator)
    fallen.unseat()
    fallen.cluster.run(pause)
    fallen.unseat()
    fallen.cluster.run(pause)
    fallen.returns()
    fallen.cluster.run(40)
    assert fallen.told() == [(fallen.node, BACK)]


@pytest.mark.parametrize("first", [0, 1], ids=["pod", "host"])
@pytest.mark.parametrize("elections", [0, 1, 2])
def test_of_a_node_that_returns_in_part_the_rest_is_told_again_whoever_is_elected(first: int, elections: int) -> None:
    fallen = FallenNode(frozen=False, coordinator=False)
    cluster = fallen.cluster
    name, other = (cluster.node(fallen.number)[place] for place in (first, 1 - first))
    for _ in range(elections):
        fallen.unseat()
        cluster.run(3.0)
    fallen.returns(name)
    cluster.run(40)
    assert fallen.told() == [(fallen.node, BACK), (other, DEAD)]
    cluster.said.clear()
    fallen.unseat()
    cluster.run(3.0)
    fallen.returns(other)
    cluster.run(30)
    assert fallen.told() == [(other, BACK)]


def test_networks_that_part_while_a_node_is_dead_tell_its_return_as_the_nodes() -> None:
    fallen = FallenNode(frozen=False, coordinator=False)
    cluster = fallen.cluster
    cluster.part()
    cluster.run(30)
    fallen.returns()
    cluster.run(30)
    assert set(fallen.told()) == {(fallen.node, BACK)}


@pytest.mark.parametrize("seed", [2, 3, 8])
def test_where_datagrams_are_lost_a_node_is_one_notice_all_the_same(seed: int) -> None:
    cluster = TwoNetworks(5, seed)
    cluster.world.network.loss = 0.05
    world = cluster.started().world
    ways = {
        DEAD: (world.power_off, world.power_on),
        FROZEN: (world.pause, world.resume),
        Condition.GONE: (world.kill, world.start),
    }
    for number, (what, (end, begin)) in product((1, 3), ways.items()):
        cluster.said.clear()
        for name in cluster.node(number):
            end(name)
        cluster.run(30)
        for name in cluster.node(number):
            begin(name)
        cluster.run(30)
        assert cluster.told() == [(f"node-{number}", what), (f"node-{number}", BACK)]


@pytest.mark.parametrize("returned", [True, False])
def test_all_members_are_restarted_while_a_node_is_dead(returned: bool) -> None:
    fallen = FallenNode(frozen=False, coordinator=False)
    cluster, world = fallen.cluster, fallen.cluster.world
    first = cluster.coordinator
    node = world.nodes[first]
    assert node.machine is not None
    kept = tuple(node.machine.open_claims(world.now + node.offset))
    for name in set(world.nodes) - set(cluster.node(fallen.number)):
        world.kill(name)
        world.start(name)
    cluster.run(1.0)
    world.feed(first, Remembered(kept))
    if not returned:
        cluster.run(40)
        assert fallen.told() == []
    fallen.returns()
    cluster.run(40)
    assert fallen.told() == [(fallen.node, BACK)]
