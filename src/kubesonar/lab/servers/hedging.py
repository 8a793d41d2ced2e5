"""Asks several servers for one answer: the next one as well where one is slow ("hedged requests"; Dean and Barroso, The
Tail at Scale, CACM 2013), so that on a busy machine no short time limit decides who has failed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

_Answer = TypeVar("_Answer")


async def hedged(asks: Iterable[Callable[[], Coroutine[Any, Any, _Answer | None]]], patience: float) -> _Answer | None:
    """Return the first answer, None where all ended without one. Each of `asks` begins `patience` seconds after the one
    before it, or once one ended without an answer; those that still wait at the end are cancelled."""
    running: set[asyncio.Task[_Answer | None]] = set()
    try:
        for ask in asks:
            running.add(asyncio.create_task(ask()))
            if (answer := await _next_of(running, patience)) is not None:
                return answer
        while running:
            if (answer := await _next_of(running, None)) is not None:
                return answer
        return None
    finally:
        for task in running:
            task.cancel()


async def _next_of(running: set[asyncio.Task[_Answer | None]], patience: float | None) -> _Answer | None:
    """Wait until a task ends, for `patience` seconds at most (None: without limit). Take those that ended out of
    `running`; return the answer of one of them, None where they have none."""
    ended, _ = await asyncio.wait(running, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
    running -= ended
    return next((answer for task in ended if (answer := task.result()) is not None), None)
