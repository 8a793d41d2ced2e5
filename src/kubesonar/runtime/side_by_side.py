"""Runs coroutines side by side, of which none outlives the first that fails."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

Answer = TypeVar("Answer")


async def side_by_side(works: Sequence[Callable[[], Awaitable[Answer]]], at_once: int) -> list[Answer]:
    """Run all, at most `at_once` at a time, and return what they return, in order.

    The first exception is raised once the others are cancelled and have ended: a connection that is left open would
    outlive who asked. The DNS doctor asks so through its helper pod and through port-forward.
    """
    free = asyncio.Semaphore(at_once)

    async def one(work: Callable[[], Awaitable[Answer]]) -> Answer:
        async with free:
            return await work()

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(work)) for work in works]
    except BaseExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return [task.result() for task in tasks]
