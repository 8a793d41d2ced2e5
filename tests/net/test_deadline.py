from __future__ import annotations

import pytest

from kubesonar.model import Fault
from kubesonar.net.deadline import Deadline, starved, wake
from tests.net.rig import run, starve


@pytest.mark.parametrize(
    ("late", "timeout", "expected"),
    [(0.05, 0.1, False), (0.1, 0.1, False), (0.11, 0.1, True), (0.5, 2.0, False), (0.51, 2.0, True)],
)
def test_a_timer_that_is_much_too_late_shows_that_we_stood_still(late: float, timeout: float, expected: bool) -> None:
    assert starved(late, timeout) is expected


def test_a_wait_ends_with_its_event_or_with_the_deadline() -> None:
    async def scenario() -> list[bool]:
        with Deadline(0.05) as deadline:
            waiter = deadline.wait()
            wake(waiter)
            return [await waiter, await deadline.wait(), await deadline.wait()]

    assert run(scenario()) == [True, False, False]


def test_silence_is_a_timeout_and_our_own_absence_is_not() -> None:
    async def scenario(pause: float) -> tuple[Fault, str]:
        with Deadline(0.05) as deadline:
            starve(pause)
            await deadline.wait()
            failed = deadline.passed("waiting")
            return failed.fault, failed.detail

    assert run(scenario(0.0)) == (Fault.TIMEOUT, "no answer within 0.05 s (waiting)")
    fault, detail = run(scenario(0.3))
    assert (fault, detail[:15]) == (Fault.LOCAL, "event loop was ")


def test_a_step_may_have_less_time_and_never_more() -> None:
    async def scenario() -> None:
        with Deadline(5) as deadline:
            with deadline.sooner(1) as sooner:
                assert sooner.timeout == 1
            with deadline.sooner(100) as sooner:
                assert sooner is deadline
            assert 0 < deadline.left <= 5

    run(scenario())
