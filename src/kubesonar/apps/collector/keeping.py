"""Keeps incident records in the store: what they are called there, how they are read and for how long they stay."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection

from kubesonar.apps.collector.replicas.wire import Position
from kubesonar.core.decoding import Undecodable, decode_json
from kubesonar.core.diagnosis.incidents.incident_log import RECORD_SCHEMA, IncidentRecord
from kubesonar.core.encoding import encode_json
from kubesonar.stores.store import Delete, Put, StoreRefused
from kubesonar.stores.write_behind import WriteBehind

KIND = "incident"

_POSITION_KIND, _POSITION = "replica", "position"

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
        """Why records are not durable now, empty while they are: also in the moment that a write takes."""
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

    async def load(self) -> list[IncidentRecord]:
        """Return all records of the store; one that cannot be read is passed over. Waits as long as the store is
        away."""
        while True:
            found = await self._writer.read(KIND)
            if not self._writer.unread:
                return [record for name, value in sorted(found.items()) if (record := _record(name, value)) is not None]
            await asyncio.sleep(_PAUSE)

    async def position(self) -> Position:
        """Return up to which position of a leader the store held everything when it was last written to."""
        found = await self._writer.read(_POSITION_KIND)
        try:
            return decode_json(found.get(_POSITION, b"{}"), Position)
        except Undecodable:
            return Position()

    def keep(
        self, records: Collection[IncidentRecord], gone: Collection[str] = (), position: Position | None = None
    ) -> None:
        """Write these records, in place of what was kept of the same incidents, remove those that are `gone` (by id)
        and write the `position`, if any. A record that no store takes is logged and counted."""
        for id in gone:
            self._writer.write([Delete(KIND, id)])
        for record in records:
            ends = self._retention if record.closed is not None else None
            try:
                self._writer.write([Put(KIND, record.id, encode_json(record), ends)])
            except StoreRefused as error:
                self._refused += 1
                _LOG.warning("incident %s is not kept: %s", record.id, error)
        if position is not None:
            self._writer.write([Put(_POSITION_KIND, _POSITION, encode_json(position))])


def _record(name: str, value: bytes) -> IncidentRecord | None:
    try:
        record = decode_json(value, IncidentRecord)
    except Undecodable as error:
        _LOG.warning("incident %s in the store cannot be read: %s", name, error)
        return None
    return record if record.schema == RECORD_SCHEMA else None
