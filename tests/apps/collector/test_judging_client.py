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


def children() -> set[int]:
    """The processes that this one has started and that judge."""
    own = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return {int(pid) for pid in own if b"collector.judging" in Path(f"/proc/{pid}/cmdline").read_bytes()}


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
