from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubesonar.core.hash_ring import FAR, Ring
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


@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=6).map(tuple),
    k=st.integers(1, 20),
    seed=st.integers(0, 1000),
)
def test_few_are_in_other_zones_where_the_own_has_enough_and_nobody_is_overrun(
    sizes: tuple[int, ...], k: int, seed: int
) -> None:
    everybody = [
        Member(f"m{zone}-{i}", f"node-{seed}-{zone}-{i}", ("10.0.0.1",), 7473, zone=f"z{zone}")
        for zone, size in enumerate(sizes)
        for i in range(size)
    ]
    ring = Ring(everybody)
    chosen = {member.name: ring.mostly_of_zone(member, k) for member in everybody}
    for member in everybody:
        others = chosen[member.name]
        assert len(others) == len({other.name for other in others}) == min(k, len(everybody) - 1)
        assert member not in others
        far = sum(other.zone != member.zone for other in others)
        own = sizes[int(member.zone[1:])] - 1
        most = max(k * FAR // 10, int(k > 1))
        assert len(others) < k or len(everybody) - 1 == k or far <= max(most, k - own)
    watched = Counter(other.name for others in chosen.values() for other in others)
    assert max(watched.values(), default=0) <= 2 * k


@pytest.mark.parametrize(
    ("count", "zones"), [(20, 2), (20, 3), (60, 2), (60, 3), (60, 5), (300, 3), (300, 4), (300, 8)]
)
def test_every_ordered_pair_of_zones_is_crossed_by_many(count: int, zones: int) -> None:
    everybody = members(count, zones)
    ring = Ring(everybody)
    crossed = Counter((m.zone, other.zone) for m in everybody for other in ring.mostly_of_zone(m, 10))
    observers = Counter(pair for m in everybody for pair in {(m.zone, o.zone) for o in ring.mostly_of_zone(m, 10)})
    pairs = [(f"z{a}", f"z{b}") for a in range(zones) for b in range(zones) if a != b]
    assert min(observers[pair] for pair in pairs) >= min(count // zones, 10) / 2
    if count // zones > 7:
        assert sum(crossed[pair] for pair in pairs) <= 0.3 * 10 * count


def test_members_without_zones_and_far_members_of_a_tiny_zone() -> None:
    unzoned = [Member(f"m{i}", f"node-{i}", ("10.0.0.1",), 7473) for i in range(50)]
    assert {member.name for member in Ring(unzoned).mostly_of_zone(unzoned[0], 10)} == {
        member.name for member in Ring(unzoned).neighbours(unzoned[0], 10)
    }
    lonely = Member("lonely", "node-x", ("10.9.9.9",), 7473, zone="tiny")
    ring = Ring([*members(200, zones=2), lonely])
    assert len(ring.mostly_of_zone(lonely, 10)) == 10
    seen = [member for member in members(200, zones=2) if lonely in ring.mostly_of_zone(member, 10)]
    assert {member.zone for member in seen} == {"z0", "z1"}


def test_one_more_member_changes_few_probed_neighbours() -> None:
    before = members(300)
    ring_before, ring_after = Ring(before), Ring([*before, Member("new", "node-new", ("10.8.8.8",), 7473, zone="z1")])
    changed = sum(len(set(ring_after.mostly_of_zone(m, 10)) - set(ring_before.mostly_of_zone(m, 10))) for m in before)
    assert changed <= 40
