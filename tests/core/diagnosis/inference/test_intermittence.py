from __future__ import annotations

import pytest

from kubesonar.core.diagnosis.inference.intermittence import RECURRING, LostTrain, may_recur, share_in_bursts

ONE, OTHER = frozenset(("node-1", "node-2")), frozenset(("node-1", "node-3"))


def bursts(starts: list[float], *, pairs: tuple[frozenset[str], ...] = (ONE,), worth: float = 6.0) -> list[LostTrain]:
    """Bad trains each half second for a second from each of these times on, between the pairs in turn."""
    return [LostTrain(start + step / 2, worth, pairs[step % len(pairs)]) for start in starts for step in range(3)]


EACH_FOUR = [4.0 * number for number in range(RECURRING)]
"""Pauses of 3 s."""
LAST = EACH_FOUR[-1] + 1.0


def share(lost: list[LostTrain], *, rate: float = 2.0, pairs: int = 1, until: float = LAST) -> float:
    return share_in_bursts(lost, rate, pairs=pairs, until=until)


def test_bursts_enough_within_a_minute_come_and_go() -> None:
    assert share(bursts(EACH_FOUR)) == pytest.approx(RECURRING / (EACH_FOUR[-1] + 1))
    assert share(bursts(EACH_FOUR[1:])) == 0
    assert share([]) == 0


@pytest.mark.parametrize(("silent", "lasts"), [(5.9, True), (6.1, False)])
def test_a_longer_silence_is_an_end(silent: float, lasts: bool) -> None:
    assert (share(bursts(EACH_FOUR), until=LAST + silent) > 0) is lasts


@pytest.mark.parametrize(("silent", "lasts"), [(2.9, True), (3.1, False)])
def test_a_silence_of_more_than_three_usual_pauses_is_an_end(silent: float, lasts: bool) -> None:
    starts = [2.0 * number for number in range(11)]
    assert (share(bursts(starts), rate=8.0, until=starts[-1] + 1 + silent) > 0) is lasts


def test_bursts_of_less_than_twenty_seconds_may_be_a_single_long_one() -> None:
    assert share(bursts([3.5 * number for number in range(RECURRING)]), until=18.5) == 0


def test_one_burst_that_few_trains_cross_is_no_several() -> None:
    assert share(bursts(EACH_FOUR), rate=0.5) == 0


def test_trains_that_are_lost_one_by_one_or_are_worth_little_are_no_bursts() -> None:
    assert share([LostTrain(at, 9.0, ONE) for at in EACH_FOUR]) == 0
    assert share(bursts(EACH_FOUR, worth=2.5)) == 0


@pytest.mark.parametrize(("crossed", "lasts"), [((ONE,), False), ((ONE, OTHER), True)])
def test_bursts_of_a_single_pair_are_none_of_a_part_that_several_cross(
    crossed: tuple[frozenset[str], ...], lasts: bool
) -> None:
    assert (share(bursts(EACH_FOUR, pairs=crossed), pairs=2) > 0) is lasts


def test_what_is_lost_without_pause_does_not_come_and_go() -> None:
    assert share(bursts([1.5 * number for number in range(20)])) == 0


@pytest.mark.parametrize(
    ("starts", "may"),
    [(EACH_FOUR, True), (EACH_FOUR[1:], False), ([1.5 * number for number in range(20)], False), ([], False)],
    ids=["enough", "too few", "no pause", "none"],
)
def test_only_what_had_pauses_enough_may_come_and_go(starts: list[float], may: bool) -> None:
    assert may_recur([train.at for train in bursts(starts)]) is may
