from __future__ import annotations

import pytest

from kubesonar.core.telemetry.started import StartedMembers
from kubesonar.model import Check, Fault, Kind, Member, Network, Observation, Path, Roster, State

STARTING = Member("new", "node-1", ("10.0.0.1",), 7473, state=State.STARTING, reason="its pod has not been ready yet")
DRAINING = Member("old", "node-2", ("10.0.0.2",), 7473, state=State.DRAINING)
ROSTER = Roster("1", (STARTING, DRAINING))


def seen(
    target: str = "new", kind: Kind = Kind.UDP, address: str = "10.0.0.1", fault: Fault | None = None
) -> Observation:
    return Observation(Check("id", kind, Path.POD, target, address), "me", Network.POD, 1.0, fault=fault, received=1)


def states(members: StartedMembers, roster: Roster = ROSTER) -> list[State]:
    return [member.state for member in members.roster_changed(roster).members]


def test_who_answers_once_is_started_and_stays_so() -> None:
    calls: list[None] = []
    members = StartedMembers(lambda: calls.append(None))
    assert states(members) == [State.STARTING, State.DRAINING]
    for _ in range(3):
        members.add(seen())
    assert len(calls) == 1
    assert states(members) == [State.SERVING, State.DRAINING]
    members.add(seen(fault=Fault.TIMEOUT))
    assert states(members) == [State.SERVING, State.DRAINING]


@pytest.mark.parametrize(
    "other",
    [
        seen(fault=Fault.TIMEOUT),
        seen(kind=Kind.ICMP),
        seen(kind=Kind.TCP),
        seen(address="10.0.0.9"),
        seen("old", address="10.0.0.2"),
    ],
)
def test_what_is_no_answer_of_the_agent_starts_nobody(other: Observation) -> None:
    members = StartedMembers(lambda: None)
    members.roster_changed(ROSTER)
    members.add(other)
    assert states(members) == [State.STARTING, State.DRAINING]


def test_a_successor_of_the_same_name_starts_anew_once_the_name_was_gone() -> None:
    members = StartedMembers(lambda: None)
    members.roster_changed(ROSTER)
    members.add(seen())
    members.roster_changed(Roster("2", ()))
    assert states(members) == [State.STARTING, State.DRAINING]
