from __future__ import annotations

from kubesonar.core.timers import Timers


def test_timers_are_done_in_order_and_those_cancelled_are_not() -> None:
    agenda, done = Timers(), []
    for word, when in (("b", 2.0), ("a", 1.0), ("c", 2.0), ("late", 9.0)):
        agenda.at(when, lambda now, word: done.append((now, word)), word)
    agenda.at(1.5, lambda now: done.append((now, "never"))).cancel()
    assert agenda.due == 1.0
    agenda.run(2.0)
    assert done == [(2.0, "a"), (2.0, "b"), (2.0, "c")]
    assert agenda.due == 9.0


def test_a_timer_that_sets_itself_again_for_now_waits_for_the_next_run() -> None:
    agenda, done = Timers(), []

    def again(now: float) -> None:
        done.append(now)
        agenda.at(now, again)

    agenda.at(1.0, again)
    agenda.run(5.0)
    agenda.run(6.0)
    assert done == [5.0, 6.0]


def test_cancelled_timers_are_never_due() -> None:
    agenda = Timers()
    agenda.at(1.0, print).cancel()
    assert agenda.due is None
    assert len(agenda) == 0
