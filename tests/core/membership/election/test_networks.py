"""When a member follows a coordinator of the other network."""

from __future__ import annotations

from typing import Any

import pytest

from kubesonar.core.membership.election.election import HANDOVER, Election
from kubesonar.core.membership.election.networks import GRACE
from kubesonar.core.membership.election.options import ElectionOptions
from kubesonar.core.membership.events import Elected, Received, Send
from kubesonar.core.membership.local_health import LocalHealth
from kubesonar.core.membership.member_view import MemberView
from kubesonar.core.membership.messages import Alive, Heartbeat, HeartbeatAck, StartElection, StepDown
from kubesonar.model import Member, Network

ME, OWN, OTHER = "p1", "p3", "h3"


def both() -> MemberView:
    networks = {"p": Network.POD, "h": Network.HOST}
    return MemberView(
        {
            f"{letter}{n}": Member(f"{letter}{n}", f"n{n}", ("192.0.2.1",), 7473, network)
            for letter, network in networks.items()
            for n in range(1, 4)
        }
    )


def member() -> Election:
    machine = Election(ME, 100, ElectionOptions(), LocalHealth(8))
    machine.step(0.0, both())
    machine.step(1.6)
    return machine


def replies(actions: list[Any], to: str) -> list[Any]:
    return [action.message for action in actions if isinstance(action, Send) and action.to == to]


def elected(actions: list[Any]) -> list[str]:
    return [action.coordinator for action in actions if isinstance(action, Elected)]


def test_one_that_a_majority_of_the_own_network_follows_is_followed() -> None:
    heard = member().step(1.7, Received(OTHER, 7, Heartbeat(1, 1.0, 2, 3, True, 3, 3)))
    assert elected(heard) == [OTHER]
    assert replies(heard, OTHER) == [HeartbeatAck(1)]


def test_one_that_few_follow_is_answered_and_not_followed() -> None:
    heard = member().step(1.7, Received(OTHER, 7, Heartbeat(1, 1.0, 1, 3, False, 3, 3)))
    assert elected(heard) == []
    assert replies(heard, OTHER) == [Alive(1)]


def test_who_hears_a_coordinator_of_its_own_network_keeps_it() -> None:
    machine = member()
    machine.step(1.7, Received(OWN, 5, Heartbeat(1, 1.0, 2, 3, True)))
    heard = machine.step(1.8, Received(OTHER, 7, Heartbeat(1, 1.0, 2, 3, True, 3, 3)))
    assert elected(heard) == []
    (reply,) = replies(heard, OTHER)
    assert isinstance(reply, Alive) and reply.coordinator == OWN


def test_the_successor_that_the_own_coordinator_named_is_followed_while_a_majority_may_be_on_its_way() -> None:
    machine = member()
    machine.step(1.7, Received(OWN, 5, Heartbeat(1, 1.0, 2, 3, True)))
    machine.step(1.8, Received(OWN, 5, StepDown(1, OTHER)))
    now = 2.0
    for number in range(1, 5):
        heard = machine.step(now, Received(OTHER, 7, Heartbeat(number, 1.0, 1, 3, False, 3, 3)))
        assert replies(heard, OTHER) == [HeartbeatAck(number)]
        now += 1.0
    heard = machine.step(2.1 + GRACE, Received(OTHER, 7, Heartbeat(9, 1.0, 1, 3, False, 3, 3)))
    assert elected(heard)[0] == "", "it never had a majority here"
    assert replies(heard, OTHER) == [Alive(9)]


def test_no_election_is_called_while_the_successor_may_be_heard_yet() -> None:
    machine = member()
    machine.step(1.7, Received(OWN, 5, Heartbeat(1, 1.0, 2, 3, True)))
    machine.step(1.8, Received(OWN, 5, StepDown(1, OTHER)))
    called: list[float] = []
    while machine.due is not None and machine.due < 8.0:
        now = machine.due
        if any(isinstance(message, StartElection) for message in replies(machine.step(now), OWN)):
            called.append(now)
    assert called and called[0] >= 1.8 + HANDOVER


@pytest.mark.parametrize(("reaches", "steps_down"), [(3, True), (2, True), (1, False)])
def test_a_coordinator_steps_down_for_one_that_reaches_all_that_follow_it(reaches: int, steps_down: bool) -> None:
    machine = leading()
    heard = machine.step(5.0, Received(OTHER, 7, Heartbeat(1, 1.0, 0, 3, False, reaches, 2)))
    stepped = [message for message in replies(heard, "p2") if isinstance(message, StepDown)]
    assert [message.successor for message in stepped] == [OTHER] * steps_down


def test_one_without_a_majority_of_its_own_network_takes_over_nothing() -> None:
    heard = leading().step(5.0, Received(OTHER, 7, Heartbeat(1, 1.0, 0, 3, False, 3, 1)))
    assert not any(isinstance(message, StepDown) for message in replies(heard, "p2"))


def test_an_older_coordinator_which_says_nothing_of_this_network_takes_over_nothing() -> None:
    heard = leading().step(5.0, Received(OTHER, 7, Heartbeat(1, 1.0, 3, 3, True)))
    assert not any(isinstance(message, StepDown) for message in replies(heard, "p2"))


def leading() -> Election:
    """The coordinator of the pod network, which one other follows."""
    machine = member()
    machine.step(1.7, Received(OWN, 5, Heartbeat(1, 1.0, 2, 3, True)))
    machine.step(4.0, Received(OWN, 5, StepDown(1, ME)))
    number = 1
    for now in (4.1, 5.0 - 1e-3):
        machine.step(now, Received("p2", 6, HeartbeatAck(number)))
    return machine
