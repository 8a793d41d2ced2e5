"""Keeps the tasks of a process running: a bug in one is logged once and counted, and the task is started again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from types import TracebackType
from typing import Any

_LOG = logging.getLogger("kubesonar.runtime")
_PAUSE = 1.0
"""Seconds before a crashed task is started again; shorter, and a lasting bug fills the log."""

_LONGEST_PAUSE = 60.0
"""Longest such pause (s), after repeated crashes; longer, and the task stays away after the cause has gone."""

_KINDS = 256
"""Most kinds of crashes that are logged; fewer, and a late one is only counted; more, and bugs can fill a disk."""


class Supervisor:
    """The tasks of a process. `crashes` counts exceptions that escaped from a task or a callback: bugs, which metrics
    show. Of those with the same type and place the first is logged: a datagram that makes us crash comes again and
    again."""

    def __init__(self) -> None:
        self.crashes = 0
        self._logged: set[tuple[str, str]] = set()
        self._tasks: set[asyncio.Task[Any]] = set()

    def run_forever(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run `work`; when it crashes, run it again after a pause that doubles up to a minute."""
        self._begin(name, self._kept(name, work))

    def run_once(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` to its end; a crash is logged and counted."""
        self._begin(name, self._survives(name, work)).add_done_callback(lambda _: work.close())  # cancelled unbegun

    def watch_loop(self) -> None:
        """Count and log also what escapes from callbacks of the running loop, and from handlers of requests."""
        asyncio.get_running_loop().set_exception_handler(lambda _, context: self._escaped(context))

    def __len__(self) -> int:
        return len(self._tasks)

    async def stop(self) -> None:
        """Cancel all tasks and wait until they have ended."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, name: str, work: Coroutine[Any, Any, object]) -> asyncio.Task[Any]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _kept(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        pause = _PAUSE
        while not await self._survives(name, work()):
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    async def _survives(self, name: str, work: Awaitable[None]) -> bool:
        try:
            await work
        except Exception as error:
            self._note(f"{name} crashed: a bug of kubesonar", error)
            return False
        return True

    def _escaped(self, context: Mapping[str, Any]) -> None:
        self._note(context["message"], context.get("exception"))

    def _note(self, message: str, error: BaseException | None) -> None:
        self.crashes += 1
        kind = (message, "") if error is None else (type(error).__name__, _place(error.__traceback__))
        if kind not in self._logged and len(self._logged) < _KINDS:
            self._logged.add(kind)
            _LOG.error("%s (logged once, then counted)", message, exc_info=error)


def _place(trace: TracebackType | None) -> str:
    """Return where the exception was raised."""
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
