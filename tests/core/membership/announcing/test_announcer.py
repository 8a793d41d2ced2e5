"""What was announced ends when its member leaves the roster, and is renewed for receivers that forget."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from kubesonar.core.membership.announcing.claim_book import FORGETFUL
from kubesonar.core.membership.announcing.renewals import RENEWAL, RENEWED_END
from kubesonar.core.membership.events import (
    Announce,
    Doubted,
    Elected,
    RenewAlerts,
    Send,
)
from kubesonar.core.membership.member_view import MemberView, by_identity
from kubesonar.core.membership.messages import StatusClaim, StatusClaimAck
from kubesonar.model import Condition, Member
from tests.core.membership.announcing.coordinator import ME, WATCHER, Coordinator

DEAD = "z/pod/7473"
DEATH = StatusClaim(DEAD, 7, 0, Condition.DEAD, 3.0)


def view(*nodes: str) -> MemberView:
    return MemberView(by_identity(Member(f"{node}-pod", node, ("10.0.0.1",), 7473) for node in nodes))


EVERYBODY = view("a", "b", "c", "d", "e", "z")
WITHOUT_Z = view("a", "b", "c", "d", "e")


def died() -> Coordinator:
    """A coordinator that announced a member dead."""
    coordinator = Coordinator(EVERYBODY)
    coordinator.claim(1.0, DEATH)
    (told,) = coordinator.until(5.0)
    assert (told.member, told.what) == (DEAD, Condition.DEAD)
    return coordinator


def said(announcements: Iterable[Announce]) -> list[tuple[str, Condition]]:
    return [(one.member, one.what) for one in announcements]


def test_a_member_of_which_something_was_announced_has_left_when_no_roster_names_it() -> None:
    coordinator = died()
    assert said(coordinator.feed(10.0, WITHOUT_Z)) == [(DEAD, Condition.LEFT)]
    assert coordinator.machine.conditions == {}


def test_of_who_was_well_or_is_back_nothing_is_told_when_it_leaves() -> None:
    coordinator = Coordinator(EVERYBODY)
    assert coordinator.feed(10.0, WITHOUT_Z) == []
    coordinator = died()
    coordinator.claim(6.0, StatusClaim(DEAD, 7, 1, Condition.BACK, ends=Condition.DEAD))
    assert said(coordinator.until(8.0)) == [(DEAD, Condition.BACK)]
    assert coordinator.feed(10.0, WITHOUT_Z) == []


def test_a_new_coordinator_knows_from_others_what_was_announced_before() -> None:
    coordinator = Coordinator(EVERYBODY)
    told = StatusClaim(DEAD, 7, 0, Condition.DEAD, 60.0, told=True)
    assert coordinator.claim(1.0, told) == coordinator.until(5.0) == [], "it only looks whether that is so"
    assert said(coordinator.feed(10.0, WITHOUT_Z)) == [(DEAD, Condition.LEFT)]


def test_a_coordinator_elected_after_the_member_left_is_told_by_those_who_claimed_it() -> None:
    coordinator = Coordinator(EVERYBODY)
    coordinator.feed(10.0, Elected("", 0, False))
    coordinator.feed(11.0, WITHOUT_Z)
    coordinator.feed(12.0, Elected(ME, 1, True))
    left = StatusClaim(DEAD, 7, 0, Condition.LEFT, ends=Condition.DEAD)
    assert said(coordinator.claim(13.0, left)) == [(DEAD, Condition.LEFT)]
    assert coordinator.claim(14.0, left) == []
    acks = [action for action in coordinator.sent if isinstance(action, Send) and action.to == WATCHER]
    assert [ack.message for ack in acks][-1:] == [StatusClaimAck(DEAD, 7, 0, Condition.LEFT, True)]


def test_nobody_leaves_by_a_claim_while_the_roster_names_it_or_if_it_never_did() -> None:
    coordinator = died()
    assert coordinator.claim(6.0, StatusClaim(DEAD, 7, 0, Condition.LEFT, ends=Condition.DEAD)) == []
    coordinator.until(FORGETFUL + 1)
    assert coordinator.claim(FORGETFUL + 1, StatusClaim("x/pod/1", 7, 0, Condition.LEFT, ends=Condition.DEAD)) == []


def test_who_left_before_a_coordinator_was_started_is_told_by_who_knew_it() -> None:
    coordinator = Coordinator(EVERYBODY)
    left = StatusClaim("x/pod/1", 7, 0, Condition.LEFT, ends=Condition.DEAD)
    assert said(coordinator.claim(6.0, left)) == [("x/pod/1", Condition.LEFT)]
    assert coordinator.claim(7.0, left) == []


def test_every_coordinator_gives_a_leave_the_same_id() -> None:
    ids = set()
    for claim in (DEATH, StatusClaim(DEAD, 7, 0, Condition.DEAD, 60.0, told=True)):
        coordinator = Coordinator(EVERYBODY)
        coordinator.claim(1.0, claim)
        coordinator.until(5.0)
        ids |= {one.id for one in coordinator.feed(10.0, WITHOUT_Z)}
    assert len(ids) == 1


def test_what_holds_is_renewed_each_minute_with_its_beginning() -> None:
    coordinator = died()
    coordinator.until(2 * RENEWAL + 1)
    renewals = [action for action in coordinator.sent if isinstance(action, RenewAlerts)]
    assert len(renewals) == 2
    begins = [RENEWAL * (place + 1) - renewal.announced[0].silent for place, renewal in enumerate(renewals)]
    assert max(begins) - min(begins) < 1e-6


def test_an_end_is_renewed_for_a_quarter_of_an_hour() -> None:
    coordinator = died()
    coordinator.feed(10.0, WITHOUT_Z)
    coordinator.until(RENEWED_END)
    assert coordinator.renewed() == [(DEAD, Condition.LEFT)]
    coordinator.until(RENEWED_END + 2 * RENEWAL)
    assert coordinator.renewed() == []


def test_who_is_coordinator_no_more_renews_nothing() -> None:
    coordinator = died()
    coordinator.feed(10.0, Elected(WATCHER, 1, False))
    coordinator.until(10 * RENEWAL)
    assert not [action for action in coordinator.sent if isinstance(action, RenewAlerts)]


def nodes_die(count: int, of: int) -> list[tuple[str, Condition]]:
    """What is announced when so many of so many nodes die within a second, and what the coordinator says of itself."""
    names = [f"n{place:02}" for place in range(of)]
    coordinator = Coordinator(view("a", "b", *names[2:]))
    told: list[Announce] = []
    for place in range(count):
        dead = StatusClaim(f"{names[-1 - place]}/pod/7473", 7, 0, Condition.DEAD, 3.0)
        told += coordinator.claim(1.0 + 0.1 * place, dead)
    told += coordinator.until(10.0)
    doubts = [("", action.what) for action in coordinator.sent if isinstance(action, Doubted)]
    return said(told) or doubts[:1]


@pytest.mark.parametrize(("count", "of"), [(1, 5), (2, 5), (2, 6), (2, 10), (3, 10), (6, 20)])
def test_a_few_nodes_that_die_at_once_are_told_one_by_one(count: int, of: int) -> None:
    assert [what for _, what in nodes_die(count, of)] == [Condition.DEAD] * count


@pytest.mark.parametrize(("count", "of"), [(3, 7), (4, 10), (7, 20)])
def test_when_many_nodes_look_dead_at_once_the_observer_is_the_suspect(count: int, of: int) -> None:
    assert nodes_die(count, of) == [("", Condition.SUSPECT)]


def test_two_agents_of_one_node_are_one_node_that_looks_dead() -> None:
    several = [Member(f"{node}-{port}", node, ("10.0.0.1",), port) for node in "abcdefg" for port in (7473, 7474)]
    coordinator = Coordinator(MemberView(by_identity(several)))
    for name in ("f/pod/7473", "f/pod/7474", "g/pod/7473", "g/pod/7474"):
        coordinator.claim(1.0, StatusClaim(name, 7, 0, Condition.DEAD, 3.0))
    told = coordinator.until(10.0)
    assert [(one.node, one.member, one.members) for one in told] == [
        ("f", "f/pod/7473", ("f/pod/7474",)),
        ("g", "g/pod/7473", ("g/pod/7474",)),
    ]
