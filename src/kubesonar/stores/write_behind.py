"""Stands between a program and a store that may be away: takes every write, and goes on answering."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from math import inf
from typing import TYPE_CHECKING

import msgspec

from kubesonar.net.clock import Clock
from kubesonar.runtime.logs import Changes
from kubesonar.stores.store import (
    CHANGES_LIMIT,
    READ_LIMIT,
    WRITE_LIMIT,
    Change,
    Put,
    Store,
    StoreRefused,
    StoreUnavailable,
    check_write,
)

if TYPE_CHECKING:
    from random import Random

_LOG = logging.getLogger("kubesonar.stores")

PENDING_BYTES = 32 << 20
"""Most bytes of values that wait for the store; the oldest are dropped beyond. Higher: memory in a long outage; lower:
less is made up for after it."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
"""Seconds before a failed write is tried again, doubled up to the second. Higher: later caught up; lower: an
overloaded store is pressed."""


_Copies = dict[str, tuple[bytes, float]]
"""The value of each record by name, and when (monotonic seconds) it is out of date."""


class _Pending(msgspec.Struct, frozen=True):
    number: int
    change: Change
    end: float

    @property
    def size(self) -> int:
        return len(self.change.value) if isinstance(self.change, Put) else 0


class _Reading:
    """A read that is under way: the changes that its answer may lack, since they were not written when it began."""

    def __init__(self, changes: list[_Pending]) -> None:
        self.changes = changes


class WriteBehind:
    """Takes changes at once and writes them in order, many at a time; of several changes of one record only the last is
    written. While the store does not answer, what was read last, with what was written since, stands in for it, up
    to `keep` seconds for records of others; with 0 no copy is held, and a read returns nothing then. `unread` and
    `unwritten` are the reasons why the last read and the last write failed, a clause each, empty where they did not.
    `dropped` counts changes that were not written: the oldest of too many, and those that the store refused."""

    def __init__(self, store: Store, clock: Clock, rng: Random, keep: float) -> None:
        self.unread = ""
        self.unwritten = ""
        self.dropped = 0
        self._store = store
        self._clock = clock
        self._rng = rng
        self._keep = keep
        self._number = 0
        self._pending: dict[tuple[str, str], _Pending] = {}
        self._size = 0
        self._readings: set[_Reading] = set()
        self._copies: dict[str, _Copies] = {}
        self._waiters: list[tuple[int, asyncio.Future[None]]] = []
        self._wake = asyncio.Event()
        self._changes = Changes(_LOG)

    @property
    def waiting(self) -> int:
        """Changes that are not written yet."""
        return len(self._pending)

    def write(self, changes: Sequence[Change]) -> None:
        """Take the changes over. Raises `StoreRefused` where no store would take them."""
        check_write(changes, None)
        for change in changes:
            self._number += 1
            lives = change.time_to_live if isinstance(change, Put) else None
            pending = _Pending(self._number, change, inf if lives is None else self._clock.mono() + lives)
            self._forget(change)
            self._pending[change.kind, change.name] = pending
            self._size += pending.size
            if self._keep:
                _lay_over(self._copies.setdefault(change.kind, {}), pending)
            for reading in self._readings:
                reading.changes.append(pending)
        while self._size > PENDING_BYTES:
            self._forget(next(iter(self._pending.values())).change)
            self.dropped += 1
        self._wake.set()

    async def read(self, kind: str) -> dict[str, bytes]:
        """Return the values of all records of a kind by name: those of the store with what is still to be written, or,
        while it is away, those of memory."""
        reading = _Reading([*self._pending.values()])
        self._readings.add(reading)
        try:
            found = await self._all(kind)
        except StoreUnavailable as error:
            self._note_read(error)
            copies = self._copies.get(kind, {})
        else:
            self._note_read(None)
            until = self._clock.mono() + (self._keep or inf)
            copies = {name: (value, until) for name, value in found.items()}
            for pending in reading.changes:
                if pending.change.kind == kind:
                    _lay_over(copies, pending)
        finally:
            self._readings.discard(reading)
        now = self._clock.mono()
        copies = {name: copy for name, copy in copies.items() if copy[1] > now}
        if self._keep:
            self._copies[kind] = copies
        return {name: value for name, (value, _) in copies.items()}

    def abandon(self) -> None:
        """Forget what is not written: another writes now."""
        for pending in list(self._pending.values()):
            self._forget(pending.change)
        self._answer_waiters()

    async def settle(self, patience: float) -> bool:
        """Wait until all that was taken over so far is written, at most `patience` seconds; return whether it is. `run`
        does the writing."""
        until = self._number
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append((until, waiter))
        self._answer_waiters()
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                await waiter
        return waiter.done() and not waiter.cancelled()

    async def run(self) -> None:
        """Write what was taken over, for ever."""
        pause = _FIRST_PAUSE
        while True:
            await self._wake.wait()
            if await self._flush():
                pause = _FIRST_PAUSE
            else:
                await asyncio.sleep(pause * (0.5 + self._rng.random()))
                pause = min(2 * pause, _LONGEST_PAUSE)

    async def _flush(self) -> bool:
        """Write the oldest changes; return whether the store took or refused them."""
        batch = self._batch()
        try:
            await self._try(batch)
        except StoreUnavailable as error:
            self._note_write(error)
            return False
        self._note_write(None)
        self._answer_waiters()
        if not self._pending:
            self._wake.clear()
        return True

    def _answer_waiters(self) -> None:
        oldest = next((pending.number for pending in self._pending.values()), self._number + 1)
        for number, waiter in self._waiters:
            if number < oldest and not waiter.done():
                waiter.set_result(None)
        self._waiters = [each for each in self._waiters if not each[1].done()]

    async def _try(self, batch: Sequence[_Pending]) -> None:
        try:
            if batch:
                await self._store.write([self._aged(pending) for pending in batch])
        except StoreRefused as error:
            if len(batch) > 1:
                for one in batch:
                    await self._try([one])
                return
            self.dropped += 1
            change = batch[0].change
            _LOG.warning("the store refuses the record %s/%s: %s", change.kind, change.name, error)
        for pending in batch:
            if self._pending.get((pending.change.kind, pending.change.name)) is pending:
                self._forget(pending.change)

    def _batch(self) -> list[_Pending]:
        now, size = self._clock.mono(), 0
        for pending in [pending for pending in self._pending.values() if pending.end <= now]:
            self._forget(pending.change)
        batch: list[_Pending] = []
        for pending in self._pending.values():
            size += pending.size
            if len(batch) == CHANGES_LIMIT or size > WRITE_LIMIT:
                break
            batch.append(pending)
        return batch

    def _aged(self, pending: _Pending) -> Change:
        """Return the change with the time to live that is left of it."""
        if pending.end == inf:
            return pending.change
        return msgspec.structs.replace(pending.change, time_to_live=max(1.0, pending.end - self._clock.mono()))

    def _forget(self, change: Change) -> None:
        before = self._pending.pop((change.kind, change.name), None)
        self._size -= before.size if before else 0

    async def _all(self, kind: str) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        after = ""
        while True:
            page = await self._store.read(kind, after=after)
            found |= {record.name: record.value for record in page}
            if len(page) < READ_LIMIT:
                return found
            after = page[-1].name

    def _note_read(self, error: StoreUnavailable | None) -> None:
        self.unread = str(error or "")
        self._changes.note("reading from the store", f"{error}; memory stands in for it" if error else "")

    def _note_write(self, error: StoreUnavailable | None) -> None:
        self.unwritten = str(error or "")
        self._changes.note("writing to the store", f"{error}; what is new is kept in memory" if error else "")


def _lay_over(copies: _Copies, pending: _Pending) -> None:
    """Do to the copies what the change does to the store."""
    change = pending.change
    if isinstance(change, Put):
        copies[change.name] = change.value, pending.end
    else:
        copies.pop(change.name, None)
