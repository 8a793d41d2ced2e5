"""Lets an agent to which it is urgent poll more often than others. Apart from `poller`, whose clients of the API server
agents with other sources of members do without."""

from __future__ import annotations

import asyncio
import contextlib


class Urgency:
    """Lets one agent poll more often than the others.

    All agents together share a budget of requests, and one may exceed its part without harm. The coordinator does: its
    roster decides who counts as dead and what a majority is, so it must know of members that left before their silence
    counts (`core/excuses.py`). An agent to which a listed address does not answer does so once.
    """

    def __init__(self) -> None:
        self._lasting = False
        self._event = asyncio.Event()

    def set(self, on: bool) -> None:
        """Make polling urgent from now on, or no longer."""
        self._lasting = on
        if on:
            self._event.set()
        else:
            self._event.clear()

    def request(self) -> None:
        """Make the next poll urgent: the pause that runs now ends."""
        self._event.set()

    async def pause(self, seconds: float, urgent: float) -> None:
        """Wait for `seconds`, less when polling becomes urgent, and for at most `urgent` where it is urgent already."""
        if self._lasting:
            await asyncio.sleep(min(seconds, urgent))
        else:
            self._event.clear()
            await wait_for_event(self._event, seconds)


async def wait_for_event(event: asyncio.Event, seconds: float | None) -> None:
    """Wait until the event is set, for at most `seconds` (None: without end)."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
