"""What several standpoints say together of the DNS pods."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from kubesonar.core.remedy.dns_round import DnsRound, DnsStandpoint, PodReplies, PodReply
from kubesonar.core.remedy.quorum import PodHealth, count_votes
from tests.core.remedy.rounds import DEAD, DEAF, OK, REFUSED, SILENT, UNKNOWN, WELL, WRONG, pod, round_of, with_ways

PODS = (pod(1), pod(2), pod(3))


def health(found: DnsRound, uid: str = "u1", quorum: int = 3) -> PodHealth:
    return count_votes(found, quorum).pods[uid].health


def test_a_pod_deaf_by_udp_for_all_is_sick() -> None:
    assert health(round_of(PODS, {("*", "u1"): DEAF})) is PodHealth.SICK
    assert health(round_of(PODS, {("*", "u1"): DEAF}), "u2") is PodHealth.ANSWERING


def test_a_pod_deaf_by_tcp_alone_answers() -> None:
    assert health(round_of(PODS, {("*", "u1"): (OK, SILENT)})) is PodHealth.ANSWERING


def test_where_udp_cannot_be_asked_tcp_decides() -> None:
    assert health(round_of(PODS, {("*", "u1"): (UNKNOWN, SILENT)}, nodes=1)) is PodHealth.SICK
    assert health(round_of(PODS, {("*", "u1"): (UNKNOWN, OK)}, nodes=1)) is PodHealth.ANSWERING


def test_a_pod_that_fails_from_one_node_is_no_sick_pod() -> None:
    assert health(round_of(PODS, {("n4", "u1"): DEAF})) is PodHealth.ANSWERING
    assert health(round_of(PODS, {("n4", "u1"): DEAF, ("n3", "u1"): DEAF})) is PodHealth.PARTIAL


def test_a_pod_that_its_own_node_hears_has_a_sick_way() -> None:
    replies = {("*", "u1"): DEAF, ("n1", "u1"): WELL}
    assert health(round_of(PODS, replies, nodes=5)) is PodHealth.PARTIAL


def test_a_pod_of_which_nothing_comes_back_is_sick_where_its_node_agrees() -> None:
    assert health(round_of(PODS, {("*", "u1"): DEAD})) is PodHealth.SICK


def test_and_else_its_way_may_be_what_fails() -> None:
    away = (replace(PODS[0], node="n9"), *PODS[1:])
    assert health(round_of(away, {("*", "u1"): DEAD})) is PodHealth.UNREACHED


@pytest.mark.parametrize("node_ready, expected", [(True, PodHealth.SICK), (False, PodHealth.UNREACHED)])
def test_the_kubelet_of_a_ready_node_confirms_it_too(node_ready: bool, expected: PodHealth) -> None:
    away = (replace(PODS[0], node="n9", ready=False, node_ready=node_ready), *PODS[1:])
    assert health(round_of(away, {("*", "u1"): DEAD})) is expected


def test_a_handshake_shows_that_the_way_is_well() -> None:
    found = round_of((replace(PODS[0], node="n9"), *PODS[1:]), {("*", "u1"): DEAD})
    replies = tuple(replace(one, reached=one.pod == "u1") for one in found.replies)
    assert health(replace(found, replies=replies)) is PodHealth.SICK


AWAY = (replace(PODS[0], node="n9"), *PODS[1:])
"""Pods of which the first is on a node from which nobody asks."""


@pytest.mark.parametrize(
    ("ways", "expected"),
    [
        ({"n1": True, "n2": True, "n3": True}, PodHealth.SICK),
        ({"n1": True, "n2": True, "n3": True, "n4": False}, PodHealth.SICK),
        ({"n1": True, "n2": True}, PodHealth.UNREACHED),
        ({"n1": True, "n2": False}, PodHealth.UNREACHED),
        ({"n1": False}, PodHealth.CUT_OFF),
        ({"n1": True, "n2": False, "n3": False}, PodHealth.CUT_OFF),
        ({}, PodHealth.UNREACHED),
    ],
)
def test_a_silent_pod_on_a_node_that_is_reached_otherwise_is_sick_itself(
    ways: dict[str, bool | None], expected: PodHealth
) -> None:
    assert health(with_ways(round_of(AWAY, {("*", "u1"): DEAD}), ways)) is expected


def test_a_deaf_pod_on_a_node_that_no_udp_reaches_has_a_sick_way() -> None:
    found = round_of(AWAY, {("*", "u1"): DEAF})
    assert health(found) is PodHealth.SICK
    assert health(with_ways(found, dict.fromkeys(("n1", "n2", "n3", "n4"), False))) is PodHealth.CUT_OFF


@pytest.mark.parametrize("reply", [WRONG, REFUSED])
def test_what_comes_back_by_udp_shows_its_way_to_be_well(reply: PodReply) -> None:
    found = round_of(AWAY, {("*", "u1"): (reply, reply)})
    assert health(with_ways(found, dict.fromkeys(("n1", "n2", "n3", "n4"), False))) is PodHealth.SICK


@pytest.mark.parametrize("ready", [True, False])
def test_who_is_near_knows_better_than_ways(ready: bool) -> None:
    near = replace(PODS[0], ready=False) if not ready else PODS[0]
    at = near if ready else replace(near, node="n9")
    found = round_of((at, *PODS[1:]), {("*", "u1"): DEAF})
    assert health(with_ways(found, dict.fromkeys(("n2", "n3", "n4"), False))) is PodHealth.SICK


def test_another_dns_pod_on_its_node_shows_the_way_to_be_well() -> None:
    both = (AWAY[0], replace(PODS[1], node="n9"), PODS[2])
    found = round_of(both, {("*", "u1"): DEAD})
    assert health(found) is PodHealth.SICK
    assert health(with_ways(found, dict.fromkeys(("n1", "n2", "n3", "n4"), False))) is PodHealth.SICK
    assert health(round_of(both, {("*", "u1"): DEAD}, nodes=1)) is PodHealth.SICK
    nowhere = tuple(replace(one, node="") for one in both)
    assert health(round_of(nowhere, {("*", "u1"): DEAD})) is PodHealth.UNREACHED


def test_where_nobody_answers_a_way_proves_nothing() -> None:
    dead = round_of(AWAY, {("*", one.uid): DEAD for one in AWAY})
    assert health(with_ways(dead, dict.fromkeys(("n1", "n2", "n3", "n4"), True))) is PodHealth.UNREACHED


def test_who_reaches_no_dns_pod_says_nothing_while_others_do() -> None:
    cut = {("n4", "u1"): DEAD, ("n4", "u2"): DEAD, ("n4", "u3"): DEAD}
    votes = count_votes(round_of(PODS, {("*", "u1"): DEAF, **cut}), 3)
    assert (votes.pods["u1"].against, votes.pods["u1"].of) == (3, 3)
    assert votes.pods["u2"].health is PodHealth.ANSWERING


def test_where_most_that_ask_reach_nothing_nobody_is_accused() -> None:
    replies = {(f"n{node}", f"u{uid}"): DEAD for node in (1, 2) for uid in (1, 2, 3)}
    votes = count_votes(round_of(PODS, {("*", "u1"): DEAF, **replies}), 3)
    assert "2 of 4" in votes.hold
    assert {judged.health for judged in votes.pods.values()} == {PodHealth.UNKNOWN}


def test_who_is_known_to_be_unwell_does_not_count() -> None:
    found = round_of(PODS, {("*", "u1"): DEAF})
    unwell = tuple(replace(one, well=False) if one.name == "n4" else one for one in found.standpoints)
    assert count_votes(replace(found, standpoints=unwell), 3).pods["u1"].of == 3


def test_dead_for_all_and_unreached_by_all_may_be_the_network() -> None:
    dead = {("*", one.uid): DEAD for one in PODS}
    assert health(round_of(PODS, dead)) is PodHealth.UNREACHED
    assert health(round_of(PODS, dead, well=True)) is PodHealth.SICK
    assert not count_votes(round_of(PODS, dead), 3).answered


def test_all_deaf_are_sick() -> None:
    votes = count_votes(round_of(PODS, {("*", one.uid): DEAF for one in PODS}), 3)
    assert votes.having(PodHealth.SICK) == ["u1", "u2", "u3"]


def test_of_two_networks_of_one_node_one_that_hears_is_enough() -> None:
    found = round_of(PODS, {("*", "u1"): DEAF}, nodes=3)
    host = DnsStandpoint(name="n3-host", node="n3")
    reply = PodReplies(standpoint="n3-host", pod="u1", udp=OK)
    both = replace(found, standpoints=(*found.standpoints, host), replies=(*found.replies, reply))
    assert health(both) is PodHealth.PARTIAL


def test_replies_from_nowhere_count_for_nothing() -> None:
    found = round_of(PODS, {("*", "u1"): DEAF})
    stray = PodReplies(standpoint="other", pod="u1", udp=OK)
    assert health(replace(found, replies=(*found.replies, stray))) is PodHealth.SICK
