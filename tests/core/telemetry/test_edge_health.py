from __future__ import annotations

import pytest

from kubesonar.core.telemetry.edge_health import by_name, edge_health
from kubesonar.model import (
    Check,
    Edge,
    Fault,
    Health,
    Kind,
    Member,
    Network,
    Observation,
    Path,
    Roster,
    State,
    Window,
)

CHECK = Check("udp/pod/b/v4", Kind.UDP, Path.POD, "b", "10.0.0.2", 7473)


def health(state: State, fault: Fault | None) -> Health:
    """The health of an edge to a member in that state, by its latest observation."""
    seen = Observation(CHECK, "a", Network.POD, 1.0, fault=fault, received=int(fault is None))
    members = by_name(Roster("1", (Member("b", "node-b", ("10.0.0.2",), 7473, state=state),)))
    return edge_health(Edge(seen, Window(10.0), Window(60.0)), members)


@pytest.mark.parametrize("state", [State.SERVING, State.NOT_READY])
def test_silence_of_who_is_expected_is_bad(state: State) -> None:
    assert health(state, Fault.TIMEOUT) is Health.BAD
    assert health(state, None) is Health.GOOD


@pytest.mark.parametrize("state", sorted(set(State) - {State.SERVING, State.NOT_READY}))
def test_what_was_announced_is_unknown(state: State) -> None:
    assert health(state, Fault.TIMEOUT) is Health.UNKNOWN
    assert health(state, None) is Health.UNKNOWN
