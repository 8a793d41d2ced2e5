"""Hands the coordinator's notices to the collector that leads, and tells when it has to speak itself."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from kubesonar.core.encoding import encode_json
from kubesonar.core.telemetry.reports.hand_over import HAND_OVER_PATH, HAND_OVER_SCHEMA, HandOver, decode_handed_over
from kubesonar.model import Member, Notice
from kubesonar.net.clock import Clock
from kubesonar.reports.sender import ReportSender

_PATIENCE = 12.0
"""Seconds for which a notice waits while collectors take reports but none leads: longer than a change of leaders takes.
Longer, and it is late where none will; shorter, and an event is told twice when a leader is lost."""

_PAUSE = 1.0
"""Seconds between two tries."""

_SHOWN_AGAIN = 15.0
"""Seconds after which a notice that a collector has taken is shown again: to its successor, if it was lost before
another one held the notice. Longer, and what was lost with it is told later; shorter than a change of leaders takes,
and the one that is about to stop is asked again."""

_MOST = 200
"""Most notices that are remembered because they were told without a collector, or are to be shown again; the oldest is
forgotten. More, and they take memory; fewer, and after a large outage a collector tells again what was told."""


class NoticeHandOver:
    """Hands notices over by the addresses, the token and the CA of `sender`; `member` returns who speaks. `run` it for
    ever, so that a collector that is back hears what was told without it, and a new leader what its predecessor took
    and may have left to nobody. Both know a notice by its id."""

    def __init__(self, sender: ReportSender, member: Callable[[], Member], clock: Clock) -> None:
        self._sender = sender
        self._member = member
        self._clock = clock
        self._told: dict[str, Notice] = {}
        self._taken: dict[str, tuple[float, Notice]] = {}
        self._owing = asyncio.Event()

    async def taken(self, notice: Notice) -> bool:
        """Return whether a collector tells receivers of it. Takes some seconds at most, and no time while no collector
        answers reports."""
        until = self._clock.mono() + _PATIENCE
        while True:
            taken = await self._handed(notice, told=False)
            if taken:
                self._taken[notice.id] = self._clock.mono() + _SHOWN_AGAIN, notice
                _bound(self._taken)
                self._owing.set()
            if taken is not None:
                return taken
            if not self._sender.answered or self._clock.mono() >= until:
                self._told[notice.id] = notice
                _bound(self._told)
                self._owing.set()
                return False
            await asyncio.sleep(_PAUSE)

    async def run(self) -> None:
        """Hand over what was told without a collector, and once more what one took, while one answers, for ever."""
        while True:
            await self._owing.wait()
            await asyncio.sleep(_PAUSE)
            if not self._sender.answered:
                continue
            for notice in list(self._told.values()):
                if await self._handed(notice, told=True) is None:
                    break
                self._told.pop(notice.id, None)
            for due, notice in list(self._taken.values()):
                if self._clock.mono() < due or await self._handed(notice, told=False) is None:
                    break
                self._taken.pop(notice.id, None)
            if not (self._told or self._taken):
                self._owing.clear()

    async def _handed(self, notice: Notice, *, told: bool) -> bool | None:
        """Return whether the leading collector takes it, None where none answers."""
        body = encode_json(HandOver(HAND_OVER_SCHEMA, self._member(), notice, told))
        response = await self._sender.post(HAND_OVER_PATH, body)
        return None if response is None else decode_handed_over(response.body)


def _bound(notices: dict[str, Any]) -> None:
    """Forget the oldest where there are too many."""
    if len(notices) > _MOST:
        del notices[next(iter(notices))]
