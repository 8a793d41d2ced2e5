"""The process that judges, as a process: it answers, and another one takes its place."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from kubesonar.apps.collector.judging_client import JudgingClient, JudgingGone, hangs
from kubesonar.core.telemetry.reports.mirrors import MirrorOptions
from kubesonar.model import Health
from kubesonar.net.clock import SystemClock
from tests.waiting import until
from tests.web.support import run


def children() -> set[int]:
    """The processes that this one has started and that judge."""
    own = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return {int(pid) for pid in own if b"collector.judging" in Path(f"/proc/{pid}/cmdline").read_bytes()}


def kill(pid: int) -> None:
    """Kill a process and wait until it is dead, without taking its exit status."""
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def test_it_answers_and_is_replaced_when_it_ends() -> None:
    started: list[None] = []

    async def work() -> None:
        client = JudgingClient(MirrorOptions(), SystemClock(), lambda: started.append(None))
        with pytest.raises(JudgingGone, match="is being started"):
            await client.judge({})
        task = asyncio.create_task(client.run())
        await until(lambda: client.since is not None)
        found = await client.judge({("node", "a"): 1.0})
        assert found.verdict.verdict is Health.UNKNOWN
        assert await client.snapshot("nobody") is None
        client.feed(1.0, b"this is no report")
        (pid,) = children()
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(JudgingGone):
            while True:
                await client.judge({})
        await until(lambda: len(started) > 1)
        assert (await client.judge({})).verdict.verdict is Health.UNKNOWN
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert children() == set()

    asyncio.run(work())


def test_reports_that_come_while_it_is_dying_are_passed_over() -> None:
    async def work() -> None:
        client = JudgingClient(MirrorOptions(), SystemClock(), lambda: None)
        task = asyncio.create_task(client.run())
        await until(lambda: client.since is not None)
        (pid,) = children()
        kill(pid)
        while client.since is not None:  # the loop learns of it in several turns, in each of which reports may come
            client.feed(1.0, bytes(1 << 16))
            await asyncio.sleep(0)
        client.feed(1.0, b"")
        with pytest.raises(JudgingGone):
            await client.judge({})
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run(work)


def test_reports_that_it_has_no_time_for_wait_and_then_no_more_are_taken_but_it_is_not_replaced() -> None:
    async def work() -> None:
        client = JudgingClient(MirrorOptions(), SystemClock(), lambda: None, room=1 << 20)
        task = asyncio.create_task(client.run())
        await until(lambda: client.since is not None)
        await client.judge({})
        (pid,) = children()
        os.kill(pid, signal.SIGSTOP)
        for second in range(1000):
            if client.full:
                break
            client.feed(float(second), bytes(1 << 16))
            await asyncio.sleep(0)
        assert client.full
        asked = asyncio.create_task(client.judge({}))
        await asyncio.sleep(0)
        os.kill(pid, signal.SIGCONT)
        early = await asked
        await until(lambda: not client.full)
        assert 0.0 < early.at < second  # as of when the oldest report came that it had not read yet
        assert children() == {pid}
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run(work)


def test_one_that_stands_still_is_ended_and_replaced() -> None:
    async def work() -> None:
        client = JudgingClient(MirrorOptions(), SystemClock(), lambda: None, patience=0.2)
        task = asyncio.create_task(client.run())
        await until(lambda: client.since is not None)
        (pid,) = children()
        os.kill(pid, signal.SIGSTOP)
        with pytest.raises(JudgingGone, match="has not answered for"):
            await client.judge({})
        await until(lambda: client.since is not None and children() not in ({pid}, set()))
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    run(work)


@pytest.mark.parametrize(
    ("waited", "used", "lately", "taken_to_hang"),
    [
        (120.0, 0.0, 0.0, True),  # stopped, or all of its threads wait for each other
        (120.0, 0.01, 0.01, False),  # a busy machine, on which it gets next to nothing
        (600.0, 60.0, 12.0, False),
        (240.0, 119.0, 60.0, False),
        (240.0, 121.0, 60.0, True),  # no answer takes as much
        (1199.0, 30.0, 3.0, False),
        (1201.0, 30.0, 3.0, True),  # it takes reports, and the thread that works out answers waits for ever
    ],
)
def test_one_that_gets_little_cpu_is_left_to_go_on_and_one_that_hangs_is_not(
    waited: float, used: float, lately: float, taken_to_hang: bool
) -> None:
    assert hangs(waited, used, lately, 120.0) is taken_to_hang
