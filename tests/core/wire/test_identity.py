from __future__ import annotations

import pytest

from kubesonar.core.wire.identity import MemberIndex, WireIdentity
from kubesonar.model import Member, Network

C = Member("c", "node-3", ("10.0.0.3", "fd00::3"), 7473)
BY_DNS = Member("10.0.0.3", "10.0.0.3", ("10.0.0.3",), 7473)
D = WireIdentity.of(Member("d", "node-4", ("10.0.0.3",), 7473))


@pytest.mark.parametrize(
    "other",
    [
        Member("d", "node-4", ("10.0.0.3",), 7473),
        Member("c", "node-4", ("10.0.0.3",), 7473),
        Member("c", "node-3", ("10.0.0.3",), 7473, Network.HOST),
    ],
)
def test_one_of_another_node_or_network_does_not_answer_for_a_member(other: Member) -> None:
    assert not WireIdentity.of(C).may_answer(WireIdentity.of(other).identity, True)


def test_a_successor_on_the_same_node_does() -> None:
    assert WireIdentity.of(C).may_answer(WireIdentity.of(Member("c-2", "node-3", ("10.0.0.9",), 7473)).identity, True)


def test_whoever_answers_is_the_member_of_which_only_the_address_is_known() -> None:
    assert WireIdentity.of(BY_DNS).may_answer(D.identity, True)


def test_who_is_not_certain_who_it_is_is_not_called_another() -> None:
    assert WireIdentity.of(C).may_answer(D.identity, False)


def test_who_has_the_address_of_a_member_is_not_taken_for_it() -> None:
    assert MemberIndex([C]).find(D.identity, D.alias) is None
    assert MemberIndex([BY_DNS]).find(D.identity, D.alias) is BY_DNS
    assert MemberIndex([C]).find(WireIdentity.of(BY_DNS).identity) is C, "one that knows no more than its address"
