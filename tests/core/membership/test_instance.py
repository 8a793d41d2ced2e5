"""One member by itself, told all kinds of things: whatever comes, it neither fails nor grows."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from kubesonar.core.membership.events import (
    Delivered,
    Elected,
    HostProbed,
    Leased,
    Leaving,
    ProbeHost,
    Received,
    Refused,
    Send,
    Throttled,
    WantLease,
)
from kubesonar.core.membership.instance import Membership
from kubesonar.core.membership.member_view import MemberView
from kubesonar.core.membership.messages import (
    Ack,
    Alive,
    Heartbeat,
    HeartbeatAck,
    Leave,
    Message,
    Ping,
    PingReq,
    PingReqReply,
    Reachability,
    Seen,
    StartElection,
    StatusClaim,
    StatusClaimAck,
    StepDown,
    encode_message,
)
from kubesonar.model import Condition, State
from kubesonar.sim.playing import member
from kubesonar.sim.world import view_of

NAMES = ("m1", "m2", "m3", "m4", "m5", "m6")
names = st.sampled_from(NAMES)
numbers = st.integers(0, 12) | st.just(2**63 - 1)
conditions = st.sampled_from(list(Condition))
sights = st.sampled_from(list(Reachability))
ages = st.floats(0, 30)


def rosters() -> st.SearchStrategy[MemberView]:
    """With and without ourselves, in any states."""
    states = st.lists(st.sampled_from([None, State.SERVING, State.SERVING, *State]), min_size=6, max_size=6)

    def made(states: list[State | None]) -> MemberView:
        listed = [
            msgspec.structs.replace(member(name, f"z{place % 3}"), state=state)
            for place, (name, state) in enumerate(zip(NAMES, states, strict=True))
            if state is not None
        ]
        return view_of(listed)

    return st.builds(made, states)


messages: st.SearchStrategy[Message] = st.one_of(
    st.builds(Ping, numbers, conditions, numbers),
    st.builds(Ack, numbers, numbers),
    st.builds(PingReq, numbers, names),
    st.builds(PingReqReply, numbers, names, sights, st.floats(0, 1), numbers, numbers),
    st.builds(
        StatusClaim,
        names,
        numbers,
        numbers,
        conditions,
        ages,
        st.booleans(),
        st.just((Seen("m9", Reachability.OTHER),)),
        conditions,
    ),
    st.builds(StatusClaimAck, names, numbers, numbers, conditions, st.booleans()),
    st.builds(Leave),
    st.builds(StartElection, numbers),
    st.builds(Alive, numbers, names | st.just(""), numbers, ages, numbers, st.booleans()),
    st.builds(Heartbeat, numbers, st.floats(0.001, 60), numbers, numbers, st.booleans()),
    st.builds(HeartbeatAck, numbers, numbers),
    st.builds(StepDown, numbers, names | st.just(""), st.booleans()),
)
events = st.one_of(
    st.none(),
    rosters(),
    st.builds(Received, names, numbers, messages),
    st.builds(Received, names, numbers, messages),
    st.builds(HostProbed, numbers, names, sights),
    st.builds(Refused, names),
    st.builds(Throttled, st.floats(0, 1)),
    st.builds(Leased, st.sampled_from([True, False, None])),
    st.builds(Delivered, st.text(max_size=3)),
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(first=rosters(), told=st.lists(st.tuples(st.floats(0, 5), events), max_size=60))
def test_whatever_it_is_told_it_goes_on_and_what_it_says_fits(first: MemberView, told: list[tuple[float, Any]]) -> None:
    machine, now = Membership("m2", 7), 0.0
    machine.step(now, first)
    for pause, event in told:
        now += pause
        for action in machine.step(now, event):
            if isinstance(action, Send):
                assert action.to != "m2"
                encode_message(action.message)
        assert len(machine.suspected) <= len(NAMES)
    for _ in range(400):
        assert machine.due is None or machine.due > now - 1e-9
        now = max(now, machine.due or now)
        assert len(machine.step(now)) < 200


@settings(max_examples=40, deadline=None, derandomize=True)
@given(told=st.lists(events.filter(lambda event: event is not None), max_size=30))
def test_after_its_leave_it_stands_for_nothing(told: list[Any]) -> None:
    machine = Membership("m2", 7)
    machine.step(0.0, view_of(map(member, NAMES)))
    machine.step(1.0, Leaving())
    for now, event in enumerate(told, 2):
        actions = machine.step(float(now), event)
        assert not any(isinstance(action, Elected) and action.mine for action in actions)
        assert WantLease(True) not in actions


def test_a_look_that_comes_back_after_the_case_was_closed_is_ignored() -> None:
    machine = Membership("m2", 7)
    machine.step(0.0, view_of(map(member, NAMES)))
    look = next(
        action for action in machine.step(1.0, Received("m1", 1, PingReq(1, "m3"))) if isinstance(action, ProbeHost)
    )
    machine.step(1.1, view_of((member("m1"), member("m2"))))
    assert machine.step(1.2, HostProbed(look.number, "m3", Reachability.SILENT)) == []
