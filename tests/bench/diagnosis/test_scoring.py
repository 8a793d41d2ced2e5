from __future__ import annotations

import pytest

from bench.diagnosis.cluster import Shape
from bench.diagnosis.scoring import Score, Second, score
from bench.diagnosis.truth import Told, Truth, answer, right, wrong

NODE = ("node", "node-3")
PAIR = ("pair", "node-1>node-2")
API = ("api_server", "api-server")
ONE = Truth((answer(NODE),))


def played(*told: tuple[float, list[tuple[str, str]]], hold: float = 30.0) -> Score:
    seconds = [Second(age, tuple(Told(*named) for named in names)) for age, names in told]
    return score("node", Shape(), 1, "votes", [ONE], seconds, hold, {})


def test_right_is_all_faults_and_nothing_else() -> None:
    both = [ONE, Truth((answer(API),))]
    assert right([NODE, API], both)
    assert not right([NODE], both)
    assert not right([NODE, API, PAIR], both)
    assert right([], [])


def test_any_answer_that_means_the_same_is_right_but_not_a_mixture_of_halves() -> None:
    truth = Truth((answer(NODE), answer(PAIR, API)))
    assert right([NODE], [truth])
    assert right([PAIR, API], [truth])
    assert not right([PAIR], [truth])
    assert not right([NODE, PAIR], [truth])


def test_what_may_be_said_besides_is_neither_needed_nor_wrong() -> None:
    truth = Truth((answer(NODE),), besides=answer(API))
    assert right([NODE], [truth])
    assert right([NODE, API], [truth])
    assert not right([API], [truth])
    assert wrong([API, PAIR], [truth]) == {PAIR}


def test_times_and_wrong_seconds_are_counted() -> None:
    found = played((-1, []), (5, [PAIR]), (10, [NODE]), (20, [NODE]), (32, [NODE]), (38, []), (45, []))
    assert found.first_right == 10
    assert found.right_at == {10: True, 15: True, 20: True, 25: True}
    assert found.wrong == 1
    assert found.silence == 8
    assert found.flips == 0
    assert found.instead == ()


def test_before_the_onset_everything_is_wrong() -> None:
    assert played((-1, [NODE]), (10, [NODE])).wrong == 1


def test_what_comes_back_is_a_flip_and_no_silence() -> None:
    found = played((5, [NODE]), (10, []), (15, [NODE]), (25, []), (32, []), (38, [NODE]))
    assert found.flips == 2
    assert found.silence is None
    assert found.right_at == {10: False, 15: True, 20: True, 25: False}


@pytest.mark.parametrize("ages", [(31.0, 40.0)])
def test_a_cure_that_is_seen_at_once_takes_no_time(ages: tuple[float, float]) -> None:
    assert played((10, [NODE]), *((age, []) for age in ages)).silence == 1.0
