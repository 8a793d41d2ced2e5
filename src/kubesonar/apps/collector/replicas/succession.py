"""The state that a coordinator that judges leaves to its successor and takes over from its predecessor: all agents hold
it.

A coordinator has no replica and no disk of its own, and often it is its node that is lost. So each agent gets the
incidents and notices of the last hour with a receipt of its reports, whenever they change, and shows what it holds to
the next one with its first report.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Set
from contextlib import suppress

import msgspec

from kubesonar.apps.collector.replicas.journal import Record
from kubesonar.apps.collector.replicas.wire import Records
from kubesonar.core.decoding import Undecodable, decode_json
from kubesonar.core.diagnosis.incidents.incident_log import IncidentLog
from kubesonar.core.diagnosis.incidents.incident_notices import NoticeBook, NoticeRecord
from kubesonar.core.encoding import encode_json
from kubesonar.core.telemetry.reports.report import MOST_KEPT, digest_of_kept
from kubesonar.model import UnixTime
from kubesonar.net.clock import Clock

SUCCESSION_SCHEMA = 1
"""Version of what agents hold; raised when a reader of the version before could misread it."""

_SPAN = 3600.0
"""Seconds for which what is over is left to a successor. Longer, and agents hold more; shorter, and `history` is
shorter after the coordinator has changed."""


class SuccessionDocument(msgspec.Struct, frozen=True):
    """The records as they were `at` that time (Unix seconds), when the last of them changed."""

    schema: int
    at: UnixTime
    records: Records


class CoordinatorSuccession:
    """The state that a coordinator leaves whose incidents are in `log` and whose notices are in `book`; see
    `reports.intake.Succession`. `reporting` returns the names of the agents that report now."""

    def __init__(self, log: IncidentLog, book: NoticeBook, clock: Clock, reporting: Callable[[], Set[str]]) -> None:
        self.text = ""
        self.digest = ""
        self._log = log
        self._book = book
        self._clock = clock
        self._reporting = reporting
        self._records = Records()
        self._offered: SuccessionDocument | None = None
        self._holders: set[str] = set()
        self._given = asyncio.Event()

    def offer(self, text: str) -> None:
        """Keep in mind what an agent holds, where it is later than what others held; nothing where it is malformed."""
        try:
            document = decode_json(text.encode("utf-8", "replace"), SuccessionDocument)
        except Undecodable:
            return
        if document.schema == SUCCESSION_SCHEMA and (self._offered is None or document.at > self._offered.at):
            self._offered = document

    def given(self, name: str) -> None:
        """Take note that the agent of that name holds `text`, or gets it now."""
        self._holders.add(name)
        self._given.set()

    async def settled(self, patience: float) -> None:
        """Wait until all agents that report hold what is known now, at most `patience` seconds."""
        self.refresh()
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while not self._reporting() <= self._holders:
                    self._given.clear()
                    await self._given.wait()

    def take_over(self) -> tuple[NoticeRecord, ...]:
        """Go on where the predecessor ended, as far as agents hold it, and return its notices. To be called before
        anything is decided."""
        if self._offered is None:
            return ()
        records = self._offered.records
        self._log.resume(records.incidents, self._clock.wall())
        self._book.take(records.notices)
        return records.notices

    def refresh(self) -> None:
        """Have agents hold what is known now, where that is another than before."""
        now = self._clock.wall()
        since = now - _SPAN
        incidents = [one for one in self._log.records.values() if one.closed is None or one.closed >= since]
        notices = [one for one in self._book.records.values() if one.delivered is None or one.notice.at >= since]
        records = Records(_latest(incidents, MOST_KEPT // 2), _latest(notices, MOST_KEPT // 4))
        if records != self._records:
            self._records = records
            self.text = encode_json(SuccessionDocument(SUCCESSION_SCHEMA, now, records)).decode()
            self.digest = digest_of_kept(self.text)
            self._holders.clear()


def _latest(records: list[Record], room: int) -> tuple[Record, ...]:
    """Return as many of the last records as fit into so many bytes, in their order."""
    kept: list[Record] = []
    for record in reversed(records):
        room -= len(encode_json(record)) + 1
        if room < 0:
            break
        kept.append(record)
    return tuple(reversed(kept))
