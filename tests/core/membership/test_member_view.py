from __future__ import annotations

import pytest

from kubesonar.core.membership.member_view import MemberView, Rank, by_identity
from kubesonar.model import LONGEST_NAME, Member, Network, State
from kubesonar.sim.world import view_of


def member(name: str, state: State = State.SERVING, network: Network = Network.POD) -> Member:
    return Member(name, name, ("192.0.2.1",), 7473, network, "z", state=state)


def electorate(*members: Member, order: Rank = Rank.NATURAL) -> MemberView:
    return view_of((member for member in members if member.network is Network.POD), order)


NAMES = ("node-9", "node-10", "node-2", "alpha")


@pytest.mark.parametrize(
    ("order", "ranked"),
    [
        (Rank.NATURAL, ("node-10", "node-9", "node-2", "alpha")),
        (Rank.BYTES, ("node-9", "node-2", "node-10", "alpha")),
    ],
)
def test_the_highest_id_ranks_first(order: Rank, ranked: tuple[str, ...]) -> None:
    found = electorate(*map(member, NAMES), order=order)
    assert found.ranked == ranked
    assert found.outranks(ranked[0], ranked[1])
    assert not found.outranks(ranked[1], ranked[0])
    assert found.place(ranked[2]) == 2


def test_names_of_any_kind_have_an_order() -> None:
    names = ("1", "a1", "1a", "node-01", "node-1", "\u0663", "9" * LONGEST_NAME)
    found = electorate(*map(member, names))
    assert sorted(found.ranked) == sorted(names)
    assert sorted(electorate(*map(member, names), order=Rank.BYTES).ranked) == sorted(names)


def test_who_is_deleted_has_no_vote_and_who_drains_votes_but_does_not_stand() -> None:
    found = electorate(
        member("a"),
        member("b", State.DRAINING),
        member("c", State.DELETED),
        member("d", State.CORDONED),
        member("e", State.NOT_READY),
        member("u", State.UNSUPPORTED),
        member("h", network=Network.HOST),
    )
    assert sorted(found.members) == ["a", "b", "d", "e"]
    assert found.majority == 3
    assert found.ranked == ("e", "d", "a")
    assert not found.eligible("b")
    assert found.outranks("a", "b")
    assert found.serving == 2


def test_a_pod_and_its_successor_on_the_same_node_are_one_member() -> None:
    def pod(name: str, state: State, node: str = "node-1") -> Member:
        return Member(name, node, ("192.0.2.1",), 7473, state=state)

    old, new = pod("old", State.ROLLING), pod("new", State.SERVING)
    assert by_identity([old, new]) == by_identity([new, old]) == {"node-1/pod/7473": new}
    assert by_identity([pod("old", State.SERVING), pod("new", State.STARTING)])["node-1/pod/7473"].name == "old"
    assert by_identity([pod("gone", State.DELETED), new]) == {"node-1/pod/7473": new}
    before, after = (
        MemberView(by_identity([old])),
        MemberView(by_identity([new, pod("other", State.SERVING, "node-2")])),
    )
    assert after.renamed("node-1/pod/7473", before)
    assert not after.renamed("node-2/pod/7473", before)


def test_a_member_is_ranked_and_watched_within_its_network() -> None:
    both = [
        member(f"{network.value}-{node}", network=network) for network in (Network.POD, Network.HOST) for node in "abc"
    ]
    found = view_of(both)
    pods = found.within("pod-a")
    assert set(pods.members) == {"pod-a", "pod-b", "pod-c"}
    assert (pods.majority, found.majority) == (2, 4)
    assert set(found.neighbours("host-a", 5)) == {"host-b", "host-c"}
    assert found.near("pod-a", "pod-b") and not found.near("pod-a", "host-a")
    assert not found.near("pod-a", "nobody") and len(found.within("nobody")) == 0
    assert pods.within("pod-b") is pods


def test_a_view_knows_the_members_of_each_node() -> None:
    found = view_of([Member(name, "n1", ("192.0.2.1",), port) for name, port in (("b", 1), ("a", 2))])
    assert found.nodes == {"n1": ("a", "b")}
