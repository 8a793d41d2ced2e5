import asyncio

import uvloop

from kubesonar.core.probing.schedule import Schedule, ScheduleOptions
from kubesonar.model import Check, Kind, Path
from kubesonar.net.clock import SystemClock
from kubesonar.runtime.drive import Drive
from kubesonar.runtime.supervise import Supervisor


def test_a_schedule_is_driven_on_the_loop() -> None:
    check = Check("a", Kind.TCP, Path.POD, "a", "127.0.0.1", period=0.05)

    async def scenario() -> None:
        launched: asyncio.Queue[Check] = asyncio.Queue()
        lags: list[float] = []
        drive = Drive(Schedule("me", ScheduleOptions()), SystemClock(), launched.put_nowait, lags.append)
        drive.feed([check])
        for _ in range(3):
            assert await asyncio.wait_for(launched.get(), 10) == check
        assert min(lags) >= 0
        drive.stop()
        others: asyncio.Queue[Check] = asyncio.Queue()
        other = Drive(Schedule("me", ScheduleOptions()), SystemClock(), others.put_nowait, lags.append)
        other.feed([check])
        for _ in range(3):
            await asyncio.wait_for(others.get(), 10)
        other.stop()
        assert launched.empty()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scenario())


def test_a_bug_in_one_action_does_not_end_the_schedule() -> None:
    check = Check("a", Kind.TCP, Path.POD, "a", "127.0.0.1", period=0.05)

    async def scenario() -> None:
        errors: list[BaseException] = []
        done = asyncio.Event()
        asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context["exception"]))

        def act(_: Check) -> None:
            if errors:
                done.set()
            else:
                raise ValueError("bug")

        drive = Drive(Schedule("me", ScheduleOptions()), SystemClock(), act, lambda _: None)
        drive.feed([check])
        await asyncio.wait_for(done.wait(), 10)
        assert [str(error) for error in errors] == ["bug"]
        drive.stop()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scenario())


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


def test_work_that_is_stopped_before_it_began_is_no_trouble() -> None:
    async def scenario() -> None:
        supervisor = Supervisor()
        supervisor.run_once("work", asyncio.sleep(60))
        await supervisor.stop()
        assert (len(supervisor), supervisor.crashes) == (0, 0)

    asyncio.run(scenario())
