"""Decisions of a reflector, in virtual time."""

from __future__ import annotations

import random

import pytest

from kubesonar.kube.errors import ApiError
from kubesonar.kube.reflector_schedule import ReflectorAction, ReflectorPeriods, ReflectorSchedule

OPTIONS = ReflectorPeriods()
HOUR = 3600.0


def _pace(seed: int = 1) -> ReflectorSchedule:
    return ReflectorSchedule(random.Random(seed), OPTIONS)


def _error(status: int, retry_after: float = 0.0) -> ApiError:
    return ApiError(status, "", "", retry_after)


def test_agents_that_start_together_list_apart() -> None:
    waits = [_pace(seed).first().wait for seed in range(1000)]
    assert all(0 <= wait <= OPTIONS.start for wait in waits)
    assert max(waits) - min(waits) > 0.9 * OPTIONS.start


def test_a_list_is_followed_by_a_watch_at_once() -> None:
    step = _pace().listed(0.0)
    assert (step.action, step.wait) == (ReflectorAction.WATCH, 0.0)


def test_after_an_outage_too_a_list_is_followed_by_a_watch_at_once() -> None:
    pace = _pace()
    for _ in range(10):
        pace.failed(0.0, ReflectorAction.LIST, _error(0))
    assert pace.listed(0.0).wait == 0.0


def test_watches_last_from_five_to_ten_minutes() -> None:
    seconds = [_pace(seed).watch_seconds() for seed in range(1000)]
    assert 300 <= min(seconds) < 330
    assert 570 < max(seconds) <= 600


@pytest.mark.parametrize("turn", [ReflectorAction.LIST, ReflectorAction.WATCH])
@pytest.mark.parametrize(("status", "ceiling"), [(0, OPTIONS.outage), (503, OPTIONS.outage), (429, OPTIONS.ceiling)])
def test_back_off_doubles_up_to_its_ceiling_with_full_jitter(
    turn: ReflectorAction, status: int, ceiling: float
) -> None:
    worst = [0.0] * 12
    for seed in range(500):
        pace = _pace(seed)
        for attempt in range(len(worst)):
            wait = pace.failed(0.0, turn, _error(status)).wait
            assert 0 < wait <= min(ceiling, OPTIONS.backoff * 2**attempt)
            worst[attempt] = max(worst[attempt], wait)
    assert worst[:3] == sorted(worst[:3])
    assert worst[-1] > 0.9 * ceiling


@pytest.mark.parametrize("outage", [20.0, 60.0, 3600.0])
@pytest.mark.parametrize("expired", [True, False])
def test_a_copy_is_current_within_ten_seconds_after_an_outage(outage: float, expired: bool) -> None:
    for seed in range(200):
        pace, now = _pace(seed), 0.0
        pace.listed(now)
        step = pace.ended(now, 300.0)
        while now + step.wait < outage:
            now += step.wait
            step = pace.failed(now, step.action, _error(0))
        now += step.wait
        if expired and step.action is ReflectorAction.WATCH:
            step = pace.failed(now, step.action, _error(410))
            assert step.action is ReflectorAction.LIST
            now += step.wait + pace.listed(now).wait
        assert now - outage < 9


def test_a_watch_that_ends_at_once_never_makes_a_hot_loop() -> None:
    pace, now, asked = _pace(), 0.0, 0
    pace.listed(now)
    while now < HOUR:
        now += pace.ended(now, 0.0).wait
        asked += 1
    assert asked < 300


def test_a_version_that_expires_at_once_never_makes_a_hot_loop() -> None:
    pace, now, asked = _pace(), 0.0, 0
    while now < HOUR:
        now += pace.listed(now).wait
        now += pace.failed(now, ReflectorAction.WATCH, _error(410)).wait
        asked += 1
    assert asked < 300


def test_a_watch_that_lived_makes_the_failures_before_it_forgotten() -> None:
    pace = _pace()
    for _ in range(10):
        pace.failed(0.0, ReflectorAction.WATCH, _error(0))
    assert pace.ended(400.0, 390.0).wait <= OPTIONS.backoff
    assert pace.failures == 1


def test_the_server_says_how_long_to_wait() -> None:
    assert _pace().failed(0.0, ReflectorAction.LIST, _error(429, 17.0)).wait > 17


@pytest.mark.parametrize("status", [0, 401, 429, 500, 503, 504])
def test_a_watch_goes_on_where_it_was(status: int) -> None:
    assert _pace().failed(0.0, ReflectorAction.WATCH, _error(status)).action is ReflectorAction.WATCH


@pytest.mark.parametrize("status", [400, 404, 410])
def test_a_watch_that_was_not_understood_is_listed_anew(status: int) -> None:
    assert _pace().failed(0.0, ReflectorAction.WATCH, _error(status)).action is ReflectorAction.LIST


def test_a_version_from_the_cache_that_expired_twice_is_asked_for_exactly() -> None:
    pace = _pace()
    assert pace.failed(0.0, ReflectorAction.WATCH, _error(410)).action is ReflectorAction.LIST
    pace.listed(0.0)
    assert pace.failed(0.0, ReflectorAction.WATCH, _error(410)).action is ReflectorAction.LIST_EXACTLY


def test_an_old_list_is_made_anew() -> None:
    pace = _pace()
    pace.listed(0.0)
    assert pace.ended(HOUR - 1, 500.0).action is ReflectorAction.WATCH
    assert pace.ended(HOUR, 500.0).action is ReflectorAction.LIST


def test_without_the_right_to_watch_it_lists_now_and_then_and_tries_again_seldom() -> None:
    pace, now, lists, watches = _pace(), 0.0, 0, 0
    step = pace.listed(now)
    while now < HOUR:
        now += step.wait
        if step.action is ReflectorAction.WATCH:
            watches += 1
            step = pace.failed(now, ReflectorAction.WATCH, _error(403))
        else:
            lists += 1
            step = pace.listed(now)
    assert 100 <= lists <= 150
    assert 10 <= watches <= 17


def test_a_right_to_watch_that_is_given_ends_the_polling() -> None:
    pace = _pace()
    pace.failed(0.0, ReflectorAction.WATCH, _error(403))
    assert pace.listed(30.0).action is ReflectorAction.LIST
    assert pace.listed(301.0).action is ReflectorAction.WATCH
    pace.began()
    assert pace.listed(400.0).action is ReflectorAction.WATCH


def test_without_the_right_to_list_it_asks_slowly() -> None:
    step = _pace().failed(0.0, ReflectorAction.LIST, _error(403))
    assert step.action is ReflectorAction.LIST
    assert step.wait >= 0.8 * OPTIONS.retry
