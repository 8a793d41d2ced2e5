"""The store in a file on this machine's disk, by SQLite."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from kubesonar.net.clock import Clock
from kubesonar.runtime.sqlite_file import Unavailable, Unreadable, set_aside
from kubesonar.stores.record_file import STORE_FILE, RecordFile
from kubesonar.stores.store import (
    READ_LIMIT,
    Change,
    Guard,
    StoredRecord,
    StoreRefused,
    StoreUnavailable,
    check_name,
    check_read,
    check_write,
)

_LOG = logging.getLogger("kubesonar.stores")
_WAITING = 1000
"""Writes that wait for the disk at most; more are refused as unavailable. Higher, and a disk that hangs fills memory;
lower, and a short hang is an outage."""

Result = TypeVar("Result")
_Outcome = bool | StoreRefused | StoreUnavailable


class SqliteStore:
    """Keeps at most `limit` bytes of values in `directory`, which only one process may use; see `MemoryStore` for what
    makes room. A thread of its own writes: all writes that wait are one transaction, synced once. A file that cannot be
    read is set aside and a new one begun, which is logged."""

    def __init__(self, directory: str, limit: int, clock: Clock) -> None:
        self._directory = directory
        self._limit = limit
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, "store")
        self._file: RecordFile | None = None
        self._lock = asyncio.Lock()
        self._waiting: list[_Waiting] = []
        self._dropped = 0

    @property
    def dropped(self) -> int:
        """The number of records with a time to live that were dropped to make room."""
        return self._dropped + (0 if self._file is None else self._file.dropped)

    async def write(self, changes: Sequence[Change], guard: Guard | None = None) -> bool:
        """As `Store.write`."""
        check_write(changes, guard)
        if len(self._waiting) >= _WAITING:
            raise StoreUnavailable(f"{_WAITING} writes wait for the disk already")
        mine = _Waiting(changes, guard)
        self._waiting.append(mine)
        async with self._lock:
            if mine in self._waiting:
                await self._write_all()
        if isinstance(mine.outcome, bool):
            return mine.outcome
        raise mine.outcome

    async def get(self, kind: str, name: str) -> bytes | None:
        """As `Store.get`."""
        check_name(kind, name)
        return await self._use(lambda file: file.get(kind, name))

    async def read(
        self, kind: str, *, prefix: str = "", after: str = "", limit: int = READ_LIMIT
    ) -> list[StoredRecord]:
        """As `Store.read`."""
        check_read(kind, prefix, after, limit)
        return await self._use(lambda file: file.read(kind, prefix, after, limit))

    async def close(self) -> None:
        """Close the file, after what is being written. The store cannot be used again."""
        async with self._lock:
            await self._in_thread(self._leave)
        self._thread.shutdown()

    async def _write_all(self) -> None:
        batch, self._waiting = self._waiting, []
        outcomes: Sequence[_Outcome]
        try:
            outcomes = await self._use(lambda file: file.write([(each.changes, each.guard) for each in batch]))
        except StoreUnavailable as error:
            outcomes = [error] * len(batch)
        for each, outcome in zip(batch, outcomes, strict=True):
            each.outcome = outcome

    async def _use(self, work: Callable[[RecordFile], Result]) -> Result:
        return await self._in_thread(lambda: self._used(work))

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _used(self, work: Callable[[RecordFile], Result]) -> Result:
        try:
            if self._file is None:
                self._file = RecordFile(self._directory, self._limit, self._clock)
            return work(self._file)
        except Unavailable as error:
            self._leave()
            raise StoreUnavailable(str(error)) from error
        except Unreadable as error:
            self._leave()
            self._set_aside(error)
            raise StoreUnavailable(str(error)) from error

    def _set_aside(self, error: Unreadable) -> None:
        path = f"{self._directory}/{STORE_FILE}"
        try:
            aside = set_aside(path)
        except Unavailable as worse:
            raise StoreUnavailable(f"{error}; {worse}") from error
        _LOG.error("store %s: %s; it was set aside as %s and a new one begun", path, error, aside)

    def _leave(self) -> None:
        if self._file is not None:
            self._dropped += self._file.dropped
            self._file.close()
            self._file = None


class _Waiting:
    """A write that waits, and what it has come to; what is not known yet counts as unavailable."""

    def __init__(self, changes: Sequence[Change], guard: Guard | None) -> None:
        self.changes = changes
        self.guard = guard
        self.outcome: _Outcome = StoreUnavailable("it was not waited for")
