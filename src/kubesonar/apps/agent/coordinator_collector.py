"""Runs a collector beside this agent while it coordinates a small mesh that has none (docs/membership.md)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from kubesonar.model import Member, Roster
from kubesonar.net.clock import Clock

_LOG = logging.getLogger("kubesonar.agent")

MOST_JUDGED = 50
"""Most members of a mesh whose coordinator judges. More, and an agent's node carries what a collector is for; fewer,
and more meshes need one."""

_PAUSE, _LONGEST_PAUSE = 5.0, 80.0
"""Seconds before a collector that ended is started again, doubled each time up to the second; one that ran for longer
than that begins with the first again. Longer, and nothing is judged for as long; shorter, and one that cannot start
takes a CPU and fills the log."""


class CoordinatorCollector:
    """Runs the collector of a coordinator, once it `run`s: while this agent coordinates a mesh of at most `MOST_JUDGED`
    members. `collector` returns the work of one collector, which ends by itself only where something is wrong."""

    def __init__(self, collector: Callable[[], Coroutine[Any, Any, None]], clock: Clock) -> None:
        self._collector = collector
        self._clock = clock
        self._mine = False
        self._few = True
        self._changed = asyncio.Event()

    def elected(self, mine: bool) -> None:
        """Take note whether this agent coordinates."""
        self._mine = mine
        self._changed.set()

    def roster_changed(self, roster: Roster) -> None:
        """Take note of how many members there are."""
        few = len(roster.members) <= MOST_JUDGED
        if self._few and not few:
            _LOG.warning(
                "the coordinator does not judge: the mesh has %d members, more than %d need a collector (reports.to)",
                len(roster.members),
                MOST_JUDGED,
            )
        self._few = few
        self._changed.set()

    def target(self, roster: Roster, coordinator: str) -> Member | None:
        """Return to whom members of this roster report: the `coordinator` (by name), None where nobody judges."""
        return roster.named(coordinator) if coordinator and len(roster.members) <= MOST_JUDGED else None

    async def run(self) -> None:
        """Start and stop the collector as this agent's part changes, until cancelled."""
        pause = _PAUSE
        while True:
            await self._until(wanted=True)
            began = self._clock.mono()
            ended = await self._while_wanted(self._collector())
            if self._clock.mono() - began > _LONGEST_PAUSE:
                pause = _PAUSE
            if ended and await self._while_wanted(asyncio.sleep(pause)):
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                pause = _PAUSE

    async def _while_wanted(self, work: Coroutine[Any, Any, None]) -> bool:
        """Do `work` while a collector is wanted; return whether it came to its end."""
        working, unwanted = asyncio.create_task(work), asyncio.create_task(self._until(wanted=False))
        try:
            await asyncio.wait((working, unwanted), return_when=asyncio.FIRST_COMPLETED)
            ended = working.done()
        finally:
            working.cancel()
            unwanted.cancel()
            await asyncio.gather(working, unwanted, return_exceptions=True)
        if ended:
            working.result()  # raises what ended it
        return ended

    async def _until(self, *, wanted: bool) -> None:
        while (self._mine and self._few) is not wanted:
            self._changed.clear()
            await self._changed.wait()
