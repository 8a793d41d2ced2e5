"""Keeps the tasks of a process running: a bug in one is logged, and the task is started again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

_LOG = logging.getLogger("kubesonar.runtime")
_PAUSE = 1.0
"""Seconds before a crashed task is started again; shorter, and a lasting bug fills the log."""

_LONGEST_PAUSE = 60.0
"""Longest such pause (s), after repeated crashes; longer, and the task stays away after the cause has gone."""


class Supervisor:
    """The tasks of a process. `crashes` counts exceptions that escaped from a task: bugs, which metrics show."""

    def __init__(self) -> None:
        self.crashes = 0
        self._tasks: set[asyncio.Task[None]] = set()

    def run_forever(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run `work`; when it crashes, run it again after a pause that doubles up to a minute."""
        self._begin(name, self._kept(name, work))

    def run_once(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` to its end; a crash is logged and counted."""
        self._begin(name, self._guarded(name, work)).add_done_callback(lambda _: work.close())  # cancelled unbegun

    def __len__(self) -> int:
        return len(self._tasks)

    async def stop(self) -> None:
        """Cancel all tasks and wait until they have ended."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _kept(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        pause = _PAUSE
        while not await self._survives(name, work()):
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _guarded(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        await self._survives(name, work)

    async def _survives(self, name: str, work: Awaitable[None]) -> bool:
        try:
            await work
        except Exception:
            self.crashes += 1
            _LOG.exception("%s crashed: a bug of kubesonar", name)
            return False
        return True
