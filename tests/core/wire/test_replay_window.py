"""A datagram counts once."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from kubesonar.core.wire.replay_window import EPOCHS, SENDER_SILENCE, WINDOW_SIZE, ReplayGuard

A, B = b"aaaaaaaa", b"bbbbbbbb"


@given(st.lists(st.integers(1, 3000), max_size=300))
def test_within_the_window_each_counter_is_fresh_exactly_once(counters: list[int]) -> None:
    guard, seen, highest = ReplayGuard(), set[int](), 0
    for counter in counters:
        fresh = guard.fresh(A, 1, counter, 0.0)
        inside = not seen or counter > highest - WINDOW_SIZE
        assert fresh is (inside and counter not in seen)
        seen.add(counter)
        highest = max(highest, counter)


def test_reordering_within_the_window_loses_nothing() -> None:
    counters = list(range(1, WINDOW_SIZE))
    random.Random(7).shuffle(counters)
    guard = ReplayGuard()
    assert all(guard.fresh(A, 1, counter, 0.0) for counter in counters)


def test_sources_do_not_disturb_each_other() -> None:
    guard = ReplayGuard()
    assert guard.fresh(A, 1, 5, 0.0) and guard.fresh(B, 1, 5, 0.0)
    assert not guard.fresh(A, 1, 5, 0.0)


def test_a_restart_begins_again_and_ends_the_epoch_before() -> None:
    guard = ReplayGuard()
    assert guard.fresh(A, 1, 900, 0.0)
    assert guard.fresh(A, 2, 1, 0.0)
    assert not guard.fresh(A, 1, 901, 1.0)


def test_a_member_whose_clock_was_set_back_is_heard_again_after_a_silence() -> None:
    guard = ReplayGuard()
    assert guard.fresh(A, 2000, 1, 0.0)
    assert not guard.fresh(A, 1000, 1, SENDER_SILENCE - 0.1)
    assert guard.fresh(A, 1000, 2, SENDER_SILENCE)
    assert guard.fresh(A, 1000, 3, SENDER_SILENCE)


def test_two_epochs_recorded_cannot_be_played_in_turn() -> None:
    guard = ReplayGuard()
    recorded = [(epoch, counter) for epoch in (1, 2) for counter in range(1, 5)]
    assert all(guard.fresh(A, epoch, counter, 0.0) for epoch, counter in recorded)
    for turn in range(1, 4):
        played = [guard.fresh(A, epoch, counter, turn * SENDER_SILENCE) for epoch, counter in recorded]
        assert not any(played)


def test_a_process_outlives_another_of_its_name() -> None:
    guard = ReplayGuard()
    assert guard.fresh(A, 1, 7, 0.0)
    assert guard.fresh(A, 2, 1, 1.0)
    assert guard.fresh(A, 1, 8, 1.0 + SENDER_SILENCE)


def test_epochs_remembered_of_a_sender_are_bounded() -> None:
    guard = ReplayGuard()
    for epoch in range(1, EPOCHS + 2):
        assert guard.fresh(A, epoch, 1, 0.0)
    assert not guard.fresh(A, 2, 1, SENDER_SILENCE)
    assert guard.fresh(A, 1, 1, SENDER_SILENCE)


def test_replays_do_not_keep_an_epoch_alive() -> None:
    guard = ReplayGuard()
    assert guard.fresh(A, 2000, 1, 0.0)
    assert not guard.fresh(A, 2000, 1, SENDER_SILENCE - 1)
    assert guard.fresh(A, 1000, 1, SENDER_SILENCE)


def test_the_source_unheard_for_longest_is_forgotten_first() -> None:
    guard = ReplayGuard(sources=2)
    for source in (A, B, A, b"cccccccc"):
        guard.fresh(source, 1, len(guard) + 7, 0.0)
    assert len(guard) == 2
    assert not guard.fresh(A, 1, 7, 0.0)
    assert guard.fresh(B, 1, 8, 0.0)
