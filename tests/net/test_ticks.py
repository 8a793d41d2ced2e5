"""Timers of one loop share its ticks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import pytest

from kubesonar.net.ticks import TICK, Ticks
from tests.virtual_time import VirtualClock, now, run_virtually

T = TypeVar("T")


def ticking(work: Callable[[Ticks], Awaitable[T]]) -> T:
    async def scenario() -> T:
        return await work(Ticks(asyncio.get_running_loop(), VirtualClock()))

    return run_virtually(scenario())


def tick_now() -> float:
    """The number of ticks since the start."""
    return round(now() / TICK, 2)


def test_what_is_due_between_two_ticks_is_done_at_the_second_one() -> None:
    async def scenario(ticks: Ticks) -> list[tuple[str, float]]:
        done: list[tuple[str, float]] = []
        for name, when in (("late", 0.3), ("a", 0.01), ("on the tick", TICK), ("b", 0.12), ("past", -1.0)):
            ticks.at(when, lambda _, name=name: done.append((name, tick_now())))  # type: ignore[misc]
        await ticks.sleep(0.5)
        return done

    assert ticking(scenario) == [("past", 1), ("a", 1), ("b", 1), ("on the tick", 1), ("late", 2)]


def test_hundreds_of_timers_wake_the_loop_five_times_a_second() -> None:
    async def scenario(ticks: Ticks) -> set[float]:
        woken: set[float] = set()

        def again(at: float) -> None:
            woken.add(now())
            ticks.at(at + 0.07, again)

        for number in range(300):
            ticks.at(number / 300, again)
        await ticks.sleep(2.0)
        return woken

    assert len(ticking(scenario)) == 2.0 / TICK


def test_a_period_of_some_ticks_is_no_longer_because_each_tick_is_late_by_a_moment() -> None:
    async def scenario(ticks: Ticks) -> list[float]:
        called: list[float] = []
        task = asyncio.create_task(ticks.each(2 * TICK, lambda _: called.append(tick_now())))
        await asyncio.sleep(8.4 * TICK)
        task.cancel()
        return called

    assert ticking(scenario) == [2, 4, 6, 8]


def test_ticks_come_four_times_as_often_while_somebody_is_in_a_hurry() -> None:
    async def scenario(ticks: Ticks) -> list[float]:
        reads: list[float] = []
        ticks.read_each(lambda: reads.append(tick_now()))
        await asyncio.sleep(1.1 * TICK)
        ticks.hasten(TICK)
        await asyncio.sleep(3 * TICK)
        return reads

    assert ticking(scenario) == [1, 1.25, 1.5, 1.75, 2, 2.25, 3, 4]


def test_what_came_is_read_before_timers_run() -> None:
    async def scenario(ticks: Ticks) -> list[str]:
        order: list[str] = []
        ticks.at(0.0, lambda _: order.append("timeout"))
        ticks.read_each(lambda: order.append("answer"))
        await ticks.sleep(TICK)
        return order

    assert ticking(scenario) == ["answer", "timeout"]


def test_nothing_to_do_wakes_nobody_and_a_cancelled_timer_is_nothing() -> None:
    async def scenario(ticks: Ticks) -> tuple[float, list[float]]:
        done: list[float] = []
        ticks.at(0.1, done.append).cancel()
        ticks.at(60.0, done.append)
        await asyncio.sleep(30 + TICK / 2)
        ticks.at(0.0, lambda at: done.append(at))
        return await ticks.sleep(1.0), done

    late, done = ticking(scenario)
    assert late < 0.001
    assert done == [pytest.approx(30 + TICK, abs=0.001)]


def test_a_loop_that_stood_still_is_late_once_and_makes_up_no_ticks() -> None:
    async def scenario(ticks: Ticks) -> tuple[list[float], list[float]]:
        reads: list[float] = []
        ticks.read_each(lambda: reads.append(now()))
        late = [await ticks.sleep(TICK)]
        loop = asyncio.get_running_loop()
        loop.selector.now += 1.0  # type: ignore[attr-defined]
        late += [await ticks.sleep(0.0), await ticks.sleep(0.0)]
        return reads, late

    reads, late = ticking(scenario)
    assert late == [pytest.approx(0, abs=0.001), pytest.approx(1 - TICK, abs=0.001), pytest.approx(0, abs=0.001)]
    assert len(reads) == 3


def test_what_is_called_again_and_again_is_called_in_ticks_until_it_is_cancelled_and_in_spite_of_a_bug() -> None:
    async def scenario(ticks: Ticks) -> tuple[list[float], list[str]]:
        errors: list[str] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: errors.append(str(context["exception"])))
        called: list[float] = []

        def act(late: float) -> None:
            called.append(tick_now())
            if len(called) == 2:
                raise ValueError("bug")

        task = asyncio.create_task(ticks.each(0.6, act))
        await asyncio.sleep(3.4)
        task.cancel()
        await asyncio.sleep(30)
        return called, errors

    assert ticking(scenario) == ([3, 6, 9, 12, 15], ["bug"])


def test_what_is_called_again_and_again_is_called_until_it_says_that_it_is_enough() -> None:
    async def scenario(ticks: Ticks) -> list[float]:
        called: list[float] = []

        def act(late: float) -> bool:
            called.append(tick_now())
            return len(called) == 3

        await ticks.each(2 * TICK, act)
        await asyncio.sleep(5)
        return called

    assert ticking(scenario) == [2, 4, 6]


def test_a_bug_in_one_callback_is_not_the_last_tick() -> None:
    async def scenario(ticks: Ticks) -> list[str]:
        errors: list[str] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(str(context["exception"])))

        def bug(_: float) -> None:
            raise ValueError("bug")

        ticks.at(0.0, bug)
        ticks.at(0.0, lambda _: errors.append("still here"))
        await ticks.sleep(1.0)
        return errors

    assert ticking(scenario) == ["bug", "still here"]
