"""Keeps incident records in a store that may be away: what could not be written waits, and is written later."""

from __future__ import annotations

import asyncio
import logging

from kubesonar.core.decoding import Undecodable, decode_json
from kubesonar.core.diagnosis.incidents.incident_log import RECORD_SCHEMA, IncidentRecord
from kubesonar.core.encoding import encode_json
from kubesonar.runtime.logs import Changes
from kubesonar.stores.store import READ_LIMIT, Put, Store, StoreRefused, StoreUnavailable

KIND = "incident"

_LOG = logging.getLogger("kubesonar.collector")

_PAUSE = 2.0
"""Seconds between two tries to use a store that is away. Shorter, and it is bothered more often; longer, and records
are in memory only for longer."""

_WAITING = 5000
"""Most records that wait for the store; beyond, the one that waited longest is dropped and counted. More, and a store
that stays away fills memory."""


class IncidentKeeper:
    """Writes records in the background: `load` once, then `run` for ever. `trouble` says why records are not durable
    now, empty while they are; `dropped` counts those that will never be. Closed incidents are kept for `retention`
    seconds."""

    def __init__(self, store: Store, retention: float) -> None:
        self.trouble = ""
        self.dropped = 0
        self._store = store
        self._retention = retention
        self._waiting: dict[str, IncidentRecord] = {}
        self._wake = asyncio.Event()
        self._changes = Changes(_LOG)

    async def load(self) -> list[IncidentRecord]:
        """Return all records of the store; one that cannot be read is passed over. Waits as long as the store is
        away."""
        while True:
            try:
                return await self._load()
            except StoreUnavailable as error:
                self._note(str(error))
                await asyncio.sleep(_PAUSE)

    def keep(self, records: list[IncidentRecord]) -> None:
        """Write these records, in place of what was kept of the same incidents."""
        for record in records:
            self._waiting.pop(record.id, None)
            self._waiting[record.id] = record
            if len(self._waiting) > _WAITING:
                del self._waiting[next(iter(self._waiting))]
                self.dropped += 1
        if records:
            self._wake.set()

    @property
    def waiting(self) -> int:
        """Records that are not durable yet."""
        return len(self._waiting)

    async def run(self) -> None:
        """Write what waits, until cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                await self.write()
                if self.trouble:
                    await asyncio.sleep(_PAUSE)

    async def write(self) -> None:
        """Try once to write each record that waits now."""
        for record in list(self._waiting.values()):
            ends = self._retention if record.closed is not None else None
            try:
                await self._store.write([Put(KIND, record.id, encode_json(record), ends)])
            except StoreUnavailable as error:
                self._note(str(error))
                return
            except StoreRefused as error:
                self.dropped += 1
                _LOG.warning("the store refuses incident %s: %s", record.id, error)
            if self._waiting.get(record.id) is record:
                del self._waiting[record.id]
        self._note("")

    async def _load(self) -> list[IncidentRecord]:
        found: list[IncidentRecord] = []
        after = ""
        while True:
            page = await self._store.read(KIND, after=after)
            for stored in page:
                try:
                    record = decode_json(stored.value, IncidentRecord)
                except Undecodable as error:
                    _LOG.warning("incident %s in the store cannot be read: %s", stored.name, error)
                    continue
                if record.schema == RECORD_SCHEMA:
                    found.append(record)
            if len(page) < READ_LIMIT:
                self._note("")
                return found
            after = page[-1].name

    def _note(self, trouble: str) -> None:
        self.trouble = f"{trouble}; incidents are held in memory only" if trouble else ""
        self._changes.note("store", self.trouble, logging.ERROR)
