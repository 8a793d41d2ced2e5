from __future__ import annotations

import pytest

from kubesonar.core.diagnosis.inference.trial_model import BIG, Load, Odds, either, look_up, lossy, stream


def test_half_of_the_packets_lost_and_all_of_them_are_told_apart_by_trains_of_which_nothing_came() -> None:
    half, all_of_them = lossy(Load(8), 0.5), lossy(Load(8), 0.999)
    assert half.bad > 0.97 < all_of_them.bad
    assert half.dead < 0.05 < 0.9 < all_of_them.dead


def test_tcp_hides_a_loss_that_datagrams_show() -> None:
    assert lossy(Load(stream(2.0)), 0.05).bad < 0.01 < lossy(Load(1), 0.05).bad
    assert lossy(Load(stream(3.0)), 0.3).bad < lossy(Load(stream(2.0)), 0.3).bad


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
