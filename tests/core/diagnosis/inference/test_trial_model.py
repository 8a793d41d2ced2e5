from __future__ import annotations

import pytest

from kubesonar.core.diagnosis.inference.trial_model import (
    BIG,
    READING,
    Load,
    Odds,
    either,
    handshake,
    look_up,
    lossy,
    may_be_bad_in_part,
    stream,
)


def test_half_of_the_packets_lost_and_all_of_them_are_told_apart_by_trains_of_which_nothing_came() -> None:
    half, all_of_them = lossy(Load(8), 0.5), lossy(Load(8), 0.999)
    assert half.bad > 0.97 < all_of_them.bad
    assert half.dead < 0.05 < 0.9 < all_of_them.dead


def test_tcp_hides_a_loss_that_datagrams_show() -> None:
    assert lossy(Load(stream(2.0)), 0.05).bad < 0.01 < lossy(Load(1), 0.05).bad
    assert lossy(Load(stream(3.0)), 0.3).bad < lossy(Load(stream(2.0)), 0.3).bad


@pytest.mark.parametrize("timeout", [1.0, 2.0, 3.0, 30.0])
@pytest.mark.parametrize("rate", [0.05, 0.3, 0.9])
def test_where_the_kernel_tells_of_a_handshake_each_lost_syn_counts(timeout: float, rate: float) -> None:
    told, untold = lossy(Load(handshake(timeout)), rate), lossy(Load(stream(timeout)), rate)
    assert told.bad == pytest.approx(rate)
    assert told.dead == untold.dead == untold.bad


def test_of_trains_and_handshakes_something_may_come_through_though_something_was_lost() -> None:
    assert may_be_bad_in_part(8)
    assert may_be_bad_in_part(handshake(2.0))
    assert not any(map(may_be_bad_in_part, (1, BIG, stream(2.0), look_up(1), look_up(5))))


def test_a_round_trip_crosses_a_node_twice_and_a_service_asks_one_of_its_servers() -> None:
    assert lossy(Load(1, crossings=2), 0.5).bad == pytest.approx(0.75)
    assert lossy(Load(1, share=0.5), 1.0).bad == pytest.approx(0.5)


def test_loss_seldom_hides_big_packets_alone() -> None:
    assert lossy(Load(BIG), 0.1).bad == pytest.approx(0.001)


def test_either_of_two_causes() -> None:
    assert either(Odds(0.5, 0.5), Odds(0.5, 0.0)) == Odds(0.75, 0.5)


def test_each_name_of_a_look_up_may_meet_the_server_that_is_sick() -> None:
    assert lossy(Load(look_up(1), share=0.5), 1.0).bad == pytest.approx(0.5)
    assert lossy(Load(look_up(5), share=0.5), 1.0).bad == pytest.approx(1 - 0.5**5)
    assert lossy(Load(look_up(1)), 0.1).bad == pytest.approx(1 - 0.9**2)


@pytest.mark.parametrize(("rate", "bad"), [(0.3, 0.0), (0.8, 0.0), (0.98, 0.865)])
def test_that_a_member_was_read_contradicts_only_that_nothing_gets_through(rate: float, bad: float) -> None:
    assert lossy(Load(READING, 2), rate) == Odds(bad, bad)
