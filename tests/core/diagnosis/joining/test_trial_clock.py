from __future__ import annotations

import pytest

from kubesonar.core.diagnosis.evidence import Ages
from kubesonar.core.diagnosis.joining.join import basis
from kubesonar.core.diagnosis.joining.trial_clock import TrialClock
from kubesonar.core.diagnosis.population import standing
from kubesonar.core.diagnosis.verdict import verdict_on
from kubesonar.core.telemetry.ledger import window
from kubesonar.model import Check, Edge, Kind, Member, Minute, Network, Observation, Path, Snapshot, Trial
from tests.core.snapshots import snapshot_of

NOW = 2_000_000.0
A = Member("a-pod", "a", ("10.0.0.1",), 7473)
B = Member("b-pod", "b", ("10.0.0.2",), 7473)


def trial(age: float, received: int = 8) -> Trial:
    return Trial(NOW - age, int(1000 - age), 8, received, 8, 0.001, 0.0, None)


def trains(target: Member, *past: Minute, short: float = 10.0, long: float = 60.0) -> Edge:
    """The trains to a member, of which one lost a datagram."""
    check = Check(f"udp/{target.name}", Kind.UDP, Path.POD, target.name, target.addresses[0], 7473, timeout=1.0)
    newest = [trial(8, received=7), trial(6), trial(4)]
    spans = window(newest, NOW, short), window(newest, NOW, long)
    return Edge(Observation(check, "any", Network.POD, NOW), *spans, tuple(newest), past=past)


def snapshot(member: Member, *edges: Edge) -> Snapshot:
    return snapshot_of(member, *edges, at=NOW, started=NOW - 10_000, members=(A, B))


def minute(age: float) -> Minute:
    """The minute whose middle is so old."""
    return Minute(NOW - age - 30.0, 12, (trial(age, received=7),))


@pytest.mark.parametrize("long", [60.0, 600.0, 950.0, 958.0, 1000.0, 3600.0])
def test_minutes_of_any_age_are_judged_beside_any_window(long: float) -> None:
    memory = Ages(10.0, long).memory
    past = [minute(age) for age in (memory + 1, memory, memory - 1, memory / 2, 45.0, 0.0, -90.0)]
    others = minute(900.0), minute(400.0)  # of an agent with a shorter long window
    told = snapshot(A, trains(B, *past, long=long)), snapshot(B, trains(A, *others))
    verdict = verdict_on(basis(told, {}, NOW), str)
    assert not verdict.findings


def test_a_minute_counts_until_it_is_as_old_as_the_oldest_bin_reaches() -> None:
    edge = trains(B, minute(960.0), minute(959.0))
    who = standing([snapshot(A, edge), snapshot(B)], {}, NOW)
    ages = Ages(10.0, 60.0)
    counted = [(found.at, age_bin) for found, age_bin in TrialClock(who, ages).past("a-pod", edge)]
    assert counted == [(minute(959.0).at, len(ages.edges) - 1)]
