import asyncio

import uvloop

from kubesonar.core.probing.schedule import Plan, Schedule
from kubesonar.model import Check, Kind, Path
from kubesonar.net.clock import SystemClock
from kubesonar.net.ticks import Ticks
from kubesonar.runtime.drive import Drive


def test_a_schedule_is_driven_on_the_loop() -> None:
    check = Check("a", Kind.TCP, Path.POD, "a", "127.0.0.1", period=0.05)

    async def scenario() -> None:
        launched: asyncio.Queue[Check] = asyncio.Queue()
        lags: list[float] = []
        drive = Drive(Schedule("me"), SystemClock(), launched.put_nowait, lags.append)
        drive.feed(Plan((check,)))
        for _ in range(3):
            assert await asyncio.wait_for(launched.get(), 10) == check
        assert min(lags) >= 0
        drive.stop()
        others: asyncio.Queue[Check] = asyncio.Queue()
        other = Drive(Schedule("me"), SystemClock(), others.put_nowait, lags.append)
        other.feed(Plan((check,)))
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

        drive = Drive(Schedule("me"), SystemClock(), act, lambda _: None)
        drive.feed(Plan((check,)))
        await asyncio.wait_for(done.wait(), 10)
        assert [str(error) for error in errors] == ["bug"]
        drive.stop()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(scenario())


class Beats:
    """A machine that is due two ticks after each timed step. `times` are those of all steps, `early` of those that were
    timed and came before they were due."""

    def __init__(self, length: float) -> None:
        self.times: list[float] = []
        self.early: list[float] = []
        self.beats = 0
        self.due: float | None = None
        self._length = length

    def step(self, now: float, event: str | None = None) -> list[int]:
        self.times.append(now)
        if event is None:
            self.beats += 1
            self.early += [now] if self.due is None or now < self.due else []
        if event is None or self.due is None:
            self.due = now + 2 * self._length
        return [self.beats]


def test_the_clock_that_a_machine_sees_reaches_each_timer_and_never_goes_back() -> None:
    length = 0.02

    async def scenario() -> Beats:
        loop = asyncio.get_running_loop()
        Ticks.of(loop, length).read_each(lambda: None)
        machine, done = Beats(length), asyncio.Event()

        def act(count: int) -> None:
            if count == 5:
                done.set()

        drive = Drive(machine, SystemClock(), act, lambda _: None)
        drive.feed("begin")
        while not done.is_set():
            drive.feed("meanwhile")
            await asyncio.sleep(length / 8)
        drive.stop()
        return machine

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        machine = runner.run(scenario())
    assert not machine.early
    assert machine.times == sorted(machine.times)
