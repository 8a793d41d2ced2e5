"""The process that judges, as a process: it answers, and another one takes its place."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from kubesonar.apps.collector.judging_client import JudgingClient, JudgingGone
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
