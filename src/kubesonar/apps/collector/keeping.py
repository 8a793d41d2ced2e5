"""Keeps records of incidents and notices in the store: their names there, how they are read, how long they stay."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection
from typing import TypeVar

from kubesonar.apps.collector.replicas.wire import Position, Records
from kubesonar.core.decoding import Undecodable, decode_json
from kubesonar.core.diagnosis.incidents.incident_log import RECORD_SCHEMA, IncidentRecord
from kubesonar.core.diagnosis.incidents.incident_notices import NOTICE_SCHEMA, NoticeRecord
from kubesonar.core.encoding import encode_json
from kubesonar.stores.store import Delete, Put, StoreRefused
from kubesonar.stores.write_behind import WriteBehind

KIND = "incident"

_NOTICE_KIND = "notice"
_POSITION_KIND, _POSITION = "replica", "position"

Kept = TypeVar("Kept", IncidentRecord, NoticeRecord)

_LOG = logging.getLogger("kubesonar.collector")

_PAUSE = 2.0
"""Seconds between two tries to read a store that is away. Shorter, and it is bothered more often; longer, and judging
begins later after an outage."""


class IncidentKeeper:
    """Hands records to the writer: `load` once, then `keep`. Closed incidents stay for `retention` seconds."""

    def __init__(self, writer: WriteBehind, retention: float) -> None:
        self._writer = writer
        self._retention = retention
        self._refused = 0

    @property
    def trouble(self) -> str:
        """The reason why records are not durable now, empty while they are: also in the moment that a write takes."""
        if reason := self._writer.unread or self._writer.unwritten:
            return f"{reason}; incidents are held in memory only"
        return "the latest incidents are being written" if self._writer.waiting else ""

    @property
    def waiting(self) -> int:
        """Records that are not durable yet."""
        return self._writer.waiting

    @property
    def dropped(self) -> int:
        """Records that will never be durable."""
        return self._refused + self._writer.dropped

    async def load(self) -> Records:
        """Return all records of the store; one that cannot be read is passed over. Waits as long as the store is
        away."""
        incidents = await self._all(KIND, IncidentRecord, RECORD_SCHEMA)
        return Records(incidents, await self._all(_NOTICE_KIND, NoticeRecord, NOTICE_SCHEMA))

    async def position(self) -> Position:
        """Return up to which position of a leader the store held everything when it was last written to."""
        found = await self._writer.read(_POSITION_KIND)
        try:
            return decode_json(found.get(_POSITION, b"{}"), Position)
        except Undecodable:
            return Position()

    def keep(
        self,
        new: Records,
        gone: tuple[Collection[str], Collection[str]] = ((), ()),
        position: Position | None = None,
    ) -> None:
        """Write these records, in place of what was kept of the same incidents and notices, remove the incidents and
        the notices that are `gone` (by id) and write the `position`, if any. A record that no store takes is logged and
        counted. What is over and delivered stays for the retention."""
        for kind, ids in zip((KIND, _NOTICE_KIND), gone, strict=True):
            for id in ids:
                self._writer.write([Delete(kind, id)])
        for incident in new.incidents:
            self._put(KIND, incident, over=incident.closed is not None)
        for notice in new.notices:
            self._put(_NOTICE_KIND, notice, over=notice.delivered is not None)
        if position is not None:
            self._writer.write([Put(_POSITION_KIND, _POSITION, encode_json(position))])

    def _put(self, kind: str, record: IncidentRecord | NoticeRecord, *, over: bool) -> None:
        try:
            self._writer.write([Put(kind, record.id, encode_json(record), self._retention if over else None)])
        except StoreRefused as error:
            self._refused += 1
            _LOG.warning("%s %s is not kept: %s", kind, record.id, error)

    async def _all(self, kind: str, type: type[Kept], schema: int) -> tuple[Kept, ...]:
        while True:
            found = await self._writer.read(kind)
            if not self._writer.unread:
                records = (_record(kind, name, value, type) for name, value in sorted(found.items()))
                return tuple(record for record in records if record is not None and record.schema == schema)
            await asyncio.sleep(_PAUSE)


def _record(kind: str, name: str, value: bytes, type: type[Kept]) -> Kept | None:
    try:
        return decode_json(value, type)
    except Undecodable as error:
        _LOG.warning("%s %s in the store cannot be read: %s", kind, name, error)
        return None
