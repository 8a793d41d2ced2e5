"""Waits in real time for what other tasks and processes do, which tell nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


async def until(condition: Callable[[], object] | Callable[[], Awaitable[object]], patience: float = 20.0) -> None:
    """Wait until the condition holds, at most `patience` seconds."""
    async with asyncio.timeout(patience):
        while True:
            found = condition()
            if await found if isinstance(found, Awaitable) else found:
                return
            await asyncio.sleep(0.01)


async def listening(port: int, life: asyncio.Task[None]) -> None:
    """Wait until somebody accepts on that port of 127.0.0.1; raise what ended `life` before."""
    async with asyncio.timeout(20):
        while not life.done():
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.01)
            else:
                writer.close()
                return
    await life
