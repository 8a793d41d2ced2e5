from __future__ import annotations

import pytest

from kubesonar.core.membership.local_health import LocalHealth


def test_the_score_rises_to_its_limit_and_falls_with_each_answer() -> None:
    health = LocalHealth(2)
    health.degrade(5)
    assert (health.score, health.multiplier, health.weight) == (2, 3.0, 1 / 3)
    health.recover()
    health.recover()
    health.recover()
    assert (health.score, health.multiplier, health.weight) == (0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("share", "multiplier"), [(0.0, 1.0), (0.5, 2.0), (0.75, 4.0), (0.99, 9.0), (1.0, 9.0), (-1.0, 1.0), (7.0, 9.0)]
)
def test_a_throttled_member_gives_others_as_much_more_time_as_it_runs_less(share: float, multiplier: float) -> None:
    health = LocalHealth(8)
    health.throttle(share)
    assert (health.multiplier, health.weight) == (multiplier, 1.0)
    health.throttle(0.0)
    assert health.multiplier == 1.0


def test_the_longer_of_both_delays_counts() -> None:
    health = LocalHealth(8)
    health.degrade(3)
    health.throttle(0.5)
    assert health.multiplier == 4.0


def test_without_a_limit_nothing_changes() -> None:
    health = LocalHealth(0)
    health.degrade()
    health.throttle(0.9)
    assert (health.enabled, health.multiplier, health.weight) == (False, 1.0, 1.0)
