"""Tasks that crash: begun again, counted each time, and logged once."""

from __future__ import annotations

import asyncio

import pytest
import uvloop

from kubesonar.runtime.supervise import Supervisor


def test_a_crashed_task_is_logged_counted_and_begun_again() -> None:
    async def scenario() -> None:
        supervisor, starts, running = Supervisor(), 0, asyncio.Event()

        async def work() -> None:
            nonlocal starts
            starts += 1
            if starts == 1:
                raise RuntimeError("bug")
            running.set()
            await asyncio.Event().wait()

        supervisor.run_forever("work", work)
        await asyncio.wait_for(running.wait(), 10)
        assert (supervisor.crashes, starts) == (1, 2)
        await supervisor.stop()
        assert len(supervisor) == 0

    asyncio.run(scenario())


def test_a_crash_that_repeats_is_logged_once_and_counted_each_time(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        supervisor, loop = Supervisor(), asyncio.get_running_loop()
        supervisor.watch_loop()

        async def work() -> None:
            raise KeyError("of a task")

        def callback(number: int) -> None:
            raise ValueError(f"of datagram {number}")

        for number in range(1000):
            supervisor.run_once("work", work())
            loop.call_soon(callback, number)
        await asyncio.sleep(0)
        await supervisor.stop()
        loop.call_exception_handler({"message": "something without an exception"})
        assert supervisor.crashes == 2001

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scenario())
    assert caplog.text.count("Traceback") == 2
    assert [record.levelname for record in caplog.records] == ["ERROR"] * 3


def test_work_that_is_stopped_before_it_began_is_no_trouble() -> None:
    async def scenario() -> None:
        supervisor = Supervisor()
        supervisor.run_once("work", asyncio.sleep(60))
        await supervisor.stop()
        assert (len(supervisor), supervisor.crashes) == (0, 0)

    asyncio.run(scenario())
