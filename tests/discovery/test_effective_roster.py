from __future__ import annotations

from kubesonar.discovery.effective_roster import EffectiveRoster
from kubesonar.model import Check, Kind, Member, Network, Observation, Path, Roster, State

A = Member("a", "n1", ("10.0.0.1",), 7473)
B = Member("b", "n2", ("10.0.0.2",), 7473)
YOUNG = Member("c", "n3", ("10.0.0.3",), 7473, state=State.STARTING)
ME = Member("host-1", "n1", (), 7473, epoch=5)


def effective(*members: Member, changed: list[str] | None = None) -> EffectiveRoster:
    found = EffectiveRoster(
        ("10.0.0.1",), lambda: (changed if changed is not None else []).append("changed"), told=False
    )
    found.given(Roster("r", members))
    return found


def test_the_own_entry_is_found_by_its_address_and_has_the_epoch_that_only_this_agent_knows() -> None:
    roster, me = effective(A, B).at(100.0, ME)
    assert (me.name, me.epoch) == ("a", 5)
    assert roster.named("a") == me
    assert roster.revision == "r"


def test_who_took_its_leave_is_leaving_since_then_in_another_revision_until_it_is_back() -> None:
    rosters = effective(A, B)
    rosters.departed(100.0, {B.identity})
    rosters.departed(200.0, {B.identity})
    roster, _ = rosters.at(201.0, ME)
    assert roster.revision == f"r without {B.identity}"
    assert [(member.state, member.since) for member in roster.members if member.name == "b"] == [(State.LEAVING, 100.0)]
    rosters.departed(300.0, ())
    roster, _ = rosters.at(301.0, ME)
    assert [(member.state, member.since) for member in roster.members] == [(State.SERVING, 0.0), (State.SERVING, 301.0)]
    assert roster.revision == "r"


def test_who_counts_as_starting_and_has_answered_serves_and_that_is_told_once() -> None:
    changed: list[str] = []
    rosters = effective(A, YOUNG, changed=changed)
    assert [member.state for member in rosters.at(100.0, ME)[0].members] == [State.SERVING, State.STARTING]
    check = Check("udp/c", Kind.UDP, Path.POD, "c", "10.0.0.3")
    for _ in range(2):
        rosters.started.add(Observation(check, "a", Network.POD, 101.0, received=1))
    assert changed == ["changed"]
    assert [member.state for member in rosters.at(102.0, ME)[0].members] == [State.SERVING, State.SERVING]


def test_a_state_is_dated_by_when_the_source_changed_it() -> None:
    rosters = effective(A, B)
    rosters.at(100.0, ME)
    rosters.given(Roster("s", (A, Member("b", "n2", ("10.0.0.2",), 7473, state=State.DRAINING))))
    for now in (200.0, 300.0):
        roster, _ = rosters.at(now, ME)
        assert [member.since for member in roster.members if member.name == "b"] == [200.0]
