from __future__ import annotations

import msgspec

from kubesonar.core.telemetry.labels import relabelled
from kubesonar.model import (
    Check,
    Edge,
    Kind,
    Member,
    Network,
    Observation,
    Path,
    Snapshot,
    State,
    Window,
)
from tests.core.snapshots import snapshot_of

A = Member("pod-a", "node-a", ("10.0.0.1", "fd00::1"), 7473, zone="z1")
B = Member("pod-b", "node-b", ("10.0.0.2", "fd00::2"), 7473, zone="z2")


def by_dns(member: Member) -> Member:
    address = member.addresses[0]
    return Member(address, address, (address,), member.port)


def snapshot(me: Member, *members: Member, target: str = "", coordinator: str = "") -> Snapshot:
    check = Check(f"udp/pod/{target}/v4", Kind.UDP, Path.POD, target, "10.0.0.9")
    edge = Edge(Observation(check, me.name, Network.POD, 1.0), Window(10.0), Window(60.0))
    return snapshot_of(me, edge, members=members, coordinator=coordinator)


def test_snapshots_with_rosters_from_one_source_stay_as_they_are() -> None:
    given = [snapshot(A, A, B, target="pod-b"), snapshot(B, A, B, target="pod-a")]
    assert relabelled(given) == given


def test_who_goes_by_an_address_gets_the_name_by_which_others_know_it() -> None:
    me = msgspec.structs.replace(by_dns(A), node="node-a", epoch=7)
    given = [
        snapshot(me, me, by_dns(B), target="10.0.0.2", coordinator="10.0.0.2"),
        snapshot(B, A, B, target="pod-a", coordinator="pod-b"),
    ]
    first, second = relabelled(given)
    assert (first.member.name, first.member.zone, first.member.epoch) == ("pod-a", "z1", 7)
    assert [(one.name, one.node) for one in first.roster.members] == [("pod-a", "node-a"), ("pod-b", "node-b")]
    assert (first.edges[0].latest.check.target, first.edges[0].latest.source) == ("pod-b", "pod-a")
    assert first.coordinator == "pod-b"
    assert second == given[1]


def test_where_nobody_knows_a_name_a_members_own_snapshot_says_its_node() -> None:
    one = msgspec.structs.replace(by_dns(A), node="node-a")
    first, second = relabelled([snapshot(one, one, by_dns(B)), snapshot(by_dns(B), by_dns(A), by_dns(B))])
    assert first.roster.members == (one, by_dns(B))
    assert second.roster.members == (one, by_dns(B))


def test_one_that_has_left_is_known_by_the_address_in_the_place_of_its_node() -> None:
    gone = Member("10.0.0.2", "10.0.0.2", (), 7473, state=State.DELETED)
    (first, _) = relabelled([snapshot(A, A, gone), snapshot(B, A, B)])
    assert (first.roster.members[1].name, first.roster.members[1].state) == ("pod-b", State.DELETED)


def test_a_list_of_members_that_snapshots_share_is_shared_afterwards_too() -> None:
    first, second = snapshot(A, by_dns(A), by_dns(B)), snapshot(B)
    second = msgspec.structs.replace(second, roster=first.roster)
    one, other = relabelled([first, second])
    assert [member.name for member in one.roster.members] == ["pod-a", "pod-b"]
    assert one.roster.members is other.roster.members


def test_of_two_entries_that_tell_as_much_the_later_one_counts() -> None:
    moved = msgspec.structs.replace(B, zone="z3")
    shared = snapshot(A, A, B)
    for given in ([snapshot(by_dns(B), moved), shared], [shared, snapshot(by_dns(B), moved), shared]):
        assert {each.member.zone for each in relabelled(given)} == {"z1", "z2"}
    assert {each.member.zone for each in relabelled([shared, snapshot(by_dns(B), moved)])} == {"z1", "z3"}
