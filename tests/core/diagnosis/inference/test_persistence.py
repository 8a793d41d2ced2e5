from __future__ import annotations

import pytest

from kubesonar.core.diagnosis.inference.persistence import (
    after_silence,
    bursts,
    lasts,
    outlasts,
    share_of_events,
)
from kubesonar.core.diagnosis.parts.table import part


@pytest.mark.parametrize(
    ("times", "count"), [([], 0), ([5.0], 1), ([5.0, 7.0], 1), ([5.0, 7.1], 2), ([0.0, 2.5, 5.0, 30.0], 4)]
)
def test_the_fewest_bursts_that_cover_all_times(times: list[float], count: int) -> None:
    assert bursts(times) == count


@pytest.mark.parametrize(
    ("seconds", "rate", "told"), [(2, 0.999, False), (4, 0.999, True), (4, 0.5, False), (8, 0.5, False), (9, 0.5, True)]
)
def test_loss_of_some_packets_must_last_longer_than_loss_of_all(seconds: int, rate: float, told: bool) -> None:
    times = [100 + step / 4 for step in range(4 * seconds)]
    assert lasts(times, rate, part("node"), seconds) is told


@pytest.mark.parametrize(("others", "needed"), [(0, 8), (1, 12), (2, 16), (3, 20), (30, 20)])
def test_the_more_bursts_others_had_the_longer_it_must_last(others: int, needed: int) -> None:
    assert outlasts(needed, others)
    assert not outlasts(needed - 0.1, others)


def test_two_short_bursts_far_apart_are_no_loss_that_lasts() -> None:
    times = [0.0, 0.5, 1.0, 12.0, 12.5]
    assert not lasts(times, 0.5, part("pair"), 20)


@pytest.mark.parametrize(("longest", "began"), [(0.4, 9.0), (0.5, 8.5), (3.0, 8.5), (7.4, 8.5), (7.5, 0.0)])
def test_what_is_bad_now_began_after_the_last_long_silence(longest: float, began: float) -> None:
    assert after_silence([0.0, 0.3, 1.0, 8.5, 9.0], longest) == began


def test_a_long_burst_and_two_short_ones_within_a_minute_are_no_loss_that_lasts() -> None:
    """As seen at three nodes, where each component has a burst each ten minutes."""
    long, short, shorter = [step / 4 for step in range(20)], [20.0, 20.5], [46.0, 46.5]
    assert not lasts([*long, *short, *shorter], 0.035, part("zone_pair"), 47)
    again = [46.0 + step for step in range(9)]
    assert lasts([*long, *short, *again], 0.035, part("zone_pair"), 54)


def test_the_longer_a_fault_lasts_the_more_bursts_it_must_take() -> None:
    times = [0.0, 1.0, 20.0, 21.0, 40.0, 41.0]
    assert lasts(times, 0.3, part("node"), 20)
    assert not lasts(times, 0.3, part("node"), 62)


@pytest.mark.parametrize(("age", "needed"), [(20, 3), (40, 4), (60, 5), (62, 5), (119, 5), (120, 6)])
def test_one_burst_more_is_asked_for_each_twenty_seconds_of_a_minute_and_each_minute_beyond(
    age: float, needed: int
) -> None:
    times = [(age - 5) / (needed - 1) * count for count in range(needed)]
    assert lasts(times, 0.02, part("pair"), age)
    assert not lasts(times[1:], 0.02, part("pair"), age)


def test_faint_loss_of_many_minutes_takes_fewer_bursts_than_loss_of_one_minute_would() -> None:
    times = [30.0 * count for count in range(16)]
    assert lasts(times, 0.006, part("pair"), 480)
    assert not lasts(times[:11], 0.006, part("pair"), 480)


def test_big_packets_that_vanish_once_are_enough() -> None:
    assert lasts([3.0], 0.999, part("pair_mtu"), 10)


def test_what_was_bad_at_the_same_moment_is_one_event() -> None:
    assert share_of_events([(1.0, 7.0), (1.1, 7.0), (1.2, 7.0), (1.3, 7.0)]) == 0.25
    assert share_of_events([(1.0, 7.0), (2.0, 7.0)]) == 1.0
    assert share_of_events([(1.0, 7.0), (1.1, 7.0)], [(1.0, 7.0), (1.1, 7.0)]) == 0.5
    assert share_of_events() == 1.0


def test_what_is_explained_already_does_not_make_one_event_of_the_rest() -> None:
    explained = [(1.0 + step / 10, 0.0) for step in range(20)]
    assert share_of_events([(1.0, 7.0), (2.0, 7.0), *explained]) == 1.0
    assert share_of_events([(1.0, 7.0), (1.2, 7.0), (2.0, 7.0), *explained]) == pytest.approx(2 / 3)
