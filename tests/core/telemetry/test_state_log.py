"""When nodes were in which state."""

from __future__ import annotations

from kubesonar.core.telemetry.state_log import StateLog, StateSpan
from kubesonar.model import Member, Network, State


def node(state: State = State.SERVING, *, since: float = 0.0, reason: str = "") -> list[Member]:
    return [
        Member(f"n-{network.value}", "n", (), 1, network, state=state, since=since, reason=reason)
        for network in (Network.POD, Network.HOST)
    ]


def test_a_state_of_a_node_is_one_span_of_all_its_members() -> None:
    log = StateLog()
    log.step(100.0, node())
    log.step(110.0, node(State.DRAINING, since=105.0, reason="cordoned by ops"))
    log.step(120.0, node(State.DRAINING, since=105.0, reason="cordoned by ops"))
    assert log.spans(0.0) == [StateSpan("n", State.DRAINING, "cordoned by ops", 105.0)]
    log.step(130.0, node())
    assert log.spans(0.0) == [StateSpan("n", State.DRAINING, "cordoned by ops", 105.0, 130.0)]
    assert log.spans(130.0) and not log.spans(130.1)


def test_each_state_has_its_own_span_and_one_without_date_began_when_it_was_seen() -> None:
    log = StateLog()
    log.step(100.0, node(State.CORDONED))
    log.step(110.0, node(State.DRAINING, since=200.0))
    log.step(120.0, [])
    assert log.spans(0.0) == [
        StateSpan("n", State.CORDONED, "", 100.0, 110.0),
        StateSpan("n", State.DRAINING, "", 110.0, 120.0),
    ]


def test_only_so_many_are_remembered_and_those_that_last_are_never_forgotten() -> None:
    log = StateLog()
    lasting = Member("x", "x", (), 1, state=State.NOT_READY)
    for second in range(3001):
        log.step(float(second), [lasting, *(node(State.ROLLING) if second % 2 else [])])
    spans = log.spans(0.0)
    assert len(spans) == 1001
    assert spans[0] == StateSpan("x", State.NOT_READY, "", 0.0)
