"""Haste of one agent where all others may take their time."""

from __future__ import annotations

import asyncio
import contextlib


class Haste:
    """In big clusters members are looked up rarely, since everybody looks; one of them may look often without anybody
    noticing: the coordinator. Its roster decides who is called dead and what a majority is, so it has to know of
    members that left, and of new ones, before their silence counts (`core/membership/announcer.py`, EXCUSED)."""

    def __init__(self) -> None:
        self._on = asyncio.Event()

    def set(self, on: bool) -> None:
        """From now on there is haste, or none."""
        if on:
            self._on.set()
        else:
            self._on.clear()

    async def pause(self, seconds: float, hurried: float) -> None:
        """So many `seconds`; in haste at most `hurried`, and no longer once haste comes up."""
        if self._on.is_set():
            await asyncio.sleep(min(seconds, hurried))
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._on.wait()
