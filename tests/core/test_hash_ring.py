from collections import Counter

import pytest

from kubesonar.core.hash_ring import Ring
from kubesonar.model import Member


def members(count: int, zones: int = 3) -> list[Member]:
    return [
        Member(f"m{i}", f"node-{i}", (f"10.0.{i // 256}.{i % 256}",), 7473, zone=f"z{i % zones}") for i in range(count)
    ]


def test_a_small_cluster_is_a_full_mesh() -> None:
    all_members = members(6)
    ring = Ring(all_members)
    for member in all_members:
        assert {other.name for other in ring.neighbours(member, 10)} == {m.name for m in all_members} - {member.name}


def test_nobody_probes_its_own_node() -> None:
    host, pod = Member("h", "node-1", ("10.0.0.1",), 1), Member("p", "node-1", ("10.0.0.2",), 1)
    other = Member("o", "node-2", ("10.0.0.3",), 1)
    assert Ring([host, pod, other]).neighbours(host, 10) == [other]


@pytest.mark.parametrize("count", [50, 1000])
def test_in_degree_is_balanced(count: int) -> None:
    ring = Ring(members(count))
    watched = Counter(other.name for member in members(count) for other in ring.neighbours(member, 10))
    assert len(watched) == count
    assert max(watched.values()) <= 20
    assert sum(8 <= watchers <= 12 for watchers in watched.values()) >= 0.9 * count
    assert sum(watched.values()) == 10 * count


def test_every_pair_of_zones_is_covered_and_a_tiny_zone_is_not_overrun() -> None:
    all_members = members(200, zones=2)
    lonely = Member("lonely", "node-x", ("10.9.9.9",), 7473, zone="tiny")
    ring = Ring([*all_members, lonely])
    chosen = {member.name: ring.neighbours(member, 10) for member in [*all_members, lonely]}
    pairs = {(member.zone, other.zone) for member in [*all_members, lonely] for other in chosen[member.name]}
    assert {("z0", "z1"), ("z1", "z0"), ("z0", "tiny"), ("z1", "tiny"), ("tiny", "z0"), ("tiny", "z1")} <= pairs
    assert sum(lonely in others for others in chosen.values()) <= 20


def test_one_more_member_changes_few_choices() -> None:
    before = members(300)
    ring_before, ring_after = Ring(before), Ring([*before, Member("new", "node-new", ("10.8.8.8",), 7473, zone="z1")])
    changed = sum(len(set(ring_after.neighbours(m, 10)) - set(ring_before.neighbours(m, 10))) for m in before)
    assert changed <= 40
