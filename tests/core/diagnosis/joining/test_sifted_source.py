"""What did not change since the last look is not computed again, and what is told is the same."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import msgspec
import pytest

from kubesonar.core.diagnosis.joining.join import basis
from kubesonar.core.diagnosis.joining.sifted_source import SiftedSources
from kubesonar.core.diagnosis.population import standing
from kubesonar.core.diagnosis.verdict import verdict_on
from kubesonar.core.encoding import encode_json
from kubesonar.model import Edge, Health, Snapshot, State
from tests.core.mesh import Mesh

NODES = [f"node-{number}" for number in range(1, 6)]
DURATION = 75


def mesh(rng: Random) -> Mesh:
    """A mesh of which a node is cut off for a while, with up to three faults more that begin, and may end, at any
    time."""
    made = Mesh(nodes=len(NODES), seed=rng.randrange(1000), background=rng.choice([0.0, 0.002]))
    made.cut("node-2", 20, 50)
    for _ in range(rng.randrange(4)):
        source, target = rng.sample([*NODES, "*"], 2)
        since = rng.uniform(0, DURATION)
        until = since + rng.choice([10.0, 1e9])
        match rng.randrange(4):
            case 0:
                made.drop(source, target, rng.choice([0.1, 0.5, 1.0]), since, until)
            case 1:
                made.cut(rng.choice(NODES), since, until)
            case 2:
                made.drop("*", rng.choice(["api", "dns-1"]), rng.choice([0.3, 1.0]), since, until)
            case 3:
                made.stop(rng.choice(NODES), made.frozen, since, until)
    return made.run(DURATION)


def reported(before: Sequence[Snapshot], now: Sequence[Snapshot], rng: Random) -> list[Snapshot]:
    """What a collector has: of agents that reported nothing the edges of before, of others those anew that changed."""
    known = {snapshot.member.name: snapshot for snapshot in before}
    found = []
    for snapshot in now:
        last = known.get(snapshot.member.name)
        edges = snapshot.edges
        if last is not None:
            same = {each.latest.check.id: each for each in last.edges}
            edges = last.edges if rng.random() < 0.5 else tuple(as_before(same, edge) for edge in edges)
        found.append(msgspec.structs.replace(snapshot, edges=edges))
    return found


def as_before(same: dict[str, Edge], edge: Edge) -> Edge:
    last = same.get(edge.latest.check.id)
    return last if last is not None and last.trials == edge.trials else edge


def leaving(snapshot: Snapshot, name: str, since: float = 0.0) -> Snapshot:
    members = tuple(
        msgspec.structs.replace(member, state=State.LEAVING, since=since) if member.name == name else member
        for member in snapshot.roster.members
    )
    return msgspec.structs.replace(snapshot, roster=msgspec.structs.replace(snapshot.roster, members=members))


@pytest.mark.parametrize("seed", range(6))
def test_a_verdict_is_the_same_whether_all_sources_are_sifted_or_those_that_told_something_new(seed: int) -> None:
    rng = Random(seed)
    history, before = mesh(rng), SiftedSources()
    leaves, who = rng.uniform(20, 2 * DURATION), rng.choice(history.members).name
    read: list[Snapshot] = []
    told = set()
    for after in range(15, DURATION, 6):
        snapshots, unread, now = history.snapshots(after)
        read = reported(read, snapshots, rng)
        given = [leaving(snapshot, who) for snapshot in read] if after > leaves else read
        verdict = verdict_on(basis(given, unread, now, before), str)
        assert encode_json(verdict) == encode_json(verdict_on(basis(given, unread, now), str))
        told.add(verdict.verdict)
    assert Health.BAD in told


def test_only_sources_that_told_something_new_are_sifted_again() -> None:
    read, unread, now = Mesh(nodes=3).run(20).snapshots(20)
    before = SiftedSources()
    first = before.of(standing(read, unread, now))
    changed = [msgspec.structs.replace(read[0], edges=read[0].edges[1:]), *read[1:]]
    second = before.of(standing(changed, unread, now + 1))
    assert [name for name in second if second[name] is not first[name]] == [read[0].member.name]
    left = [leaving(snapshot, read[1].member.name) for snapshot in changed]
    third = before.of(standing(left, unread, now + 2))
    assert not [name for name in third if third[name] is second[name]]
    dated = [leaving(snapshot, read[1].member.name, since=now - 1) for snapshot in changed]
    fourth = before.of(standing(dated, unread, now + 3))
    assert all(fourth[name] is third[name] for name in third)


def test_a_source_that_is_not_read_any_more_is_forgotten() -> None:
    read, unread, now = Mesh(nodes=3).run(20).snapshots(20)
    before = SiftedSources()
    first = before.of(standing(read, unread, now))
    before.of(standing(read[1:], unread, now))
    again = before.of(standing(read, unread, now))
    name = read[0].member.name
    assert again[name] is not first[name]


def test_a_target_is_looked_at_where_something_failed() -> None:
    read, unread, now = Mesh(nodes=2).drop("node-1", "api", 1, 5).run(20).snapshots(20)
    found = SiftedSources().of(standing(read, unread, now))
    assert {name: source.loud for name, source in found.items()} == {
        "node-1-pod": ["api"],
        "node-1-host": ["api"],
        "node-2-pod": [],
        "node-2-host": [],
    }
