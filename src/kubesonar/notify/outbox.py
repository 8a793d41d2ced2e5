"""Notices that are still to be delivered, in memory and, where a directory is given, on disk."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from kubesonar.net.clock import Clock
from kubesonar.notify.outbox_entry import OutboxEntry
from kubesonar.runtime.logs import Changes

if TYPE_CHECKING:
    from kubesonar.notify.outbox_file import OutboxFile

_LOG = logging.getLogger("kubesonar.notify")
_PAUSE = 5.0
"""Seconds between two tries to use a file that cannot be used. Lower: a full disk is bothered more often; higher:
notices are in memory only for longer."""

Result = TypeVar("Result")


class Outbox:
    """The entries of all receivers. The file follows the memory: a thread writes the difference between `entries` and
    the file, so that the first write that succeeds makes up for all that failed. A file that cannot be read is set
    aside. While no file can be used, entries are in memory only and `trouble` is the reason.

    `found` is called with the entries that a process before left in the file, once it is open."""

    def __init__(self, directory: str, limit: int, clock: Clock, found: Callable[[list[OutboxEntry]], None]) -> None:
        self.entries: dict[int, OutboxEntry] = {}
        self.trouble = ""
        self._directory = directory
        self._limit = limit
        self._clock = clock
        self._found = found
        self._last = 0
        self._stored: set[int] = set()
        self._file: OutboxFile | None = None
        self._thread = ThreadPoolExecutor(1, "outbox") if directory else None
        self._lock = asyncio.Lock()
        self._wake = asyncio.Event()
        self._waiting: list[asyncio.Future[None]] = []
        self._changes = Changes(_LOG)

    def add(self, receiver: str, id: str, subject: str, body: bytes) -> OutboxEntry:
        """Add and return a new entry."""
        now = self._clock.wall()
        self._last = max(self._last + 1, int(now * 1e6))  # after all entries of a process before
        entry = self.entries[self._last] = OutboxEntry(self._last, receiver, id, subject, now, body)
        self._wake.set()
        return entry

    def remove(self, seq: int) -> None:
        """Remove an entry."""
        del self.entries[seq]
        self._wake.set()

    async def settled(self) -> None:
        """Wait until the file holds what was added so far; not at all while there is none or it cannot be used."""
        if self._thread is None or self.trouble:
            return
        waiter = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        self._wake.set()
        await waiter

    async def open(self) -> None:
        """Read the file. Call it before `run`, so that older entries come first."""
        async with self._lock:
            await self._follow()

    async def run(self) -> None:
        """Write changes to the file until `close`."""
        while self._thread is not None:
            await self._wake.wait()
            self._wake.clear()
            waiting, self._waiting = self._waiting, []
            try:
                async with self._lock:
                    await self._follow()
            finally:
                for waiter in waiting:
                    if not waiter.done():
                        waiter.set_result(None)
            if self.trouble:
                await asyncio.sleep(_PAUSE)
                self._wake.set()

    async def close(self) -> None:
        """Write the last changes and close the file."""
        async with self._lock:
            await self._follow()
            await self._leave_file()
            if self._thread is not None:
                self._thread.shutdown()
                self._thread = None
        self._wake.set()

    async def _follow(self) -> None:
        if self._thread is None:
            return
        from kubesonar.notify.outbox_file import OUTBOX_FILE
        from kubesonar.runtime.sqlite_file import Unavailable, Unreadable, set_aside

        path = f"{self._directory}/{OUTBOX_FILE}"
        try:
            try:
                await self._save()
            except Unreadable as error:
                await self._leave_file()
                aside = await self._off(lambda: set_aside(path))
                self._stored = set()
                _LOG.error("outbox %s: %s; it was set aside as %s and a new one begun", path, error, aside)
                await self._save()
            self.trouble = ""
        except (Unreadable, Unavailable) as error:
            await self._leave_file()
            self.trouble = f"{error}; notices are held in memory only"
        self._changes.note(f"outbox {path}", self.trouble, logging.ERROR)

    async def _save(self) -> None:
        file = self._file or await self._open()
        new = [entry for seq, entry in self.entries.items() if seq not in self._stored]
        gone = self._stored - self.entries.keys()
        if new or gone:
            await self._off(lambda: file.write(new, gone))
            self._stored = (self._stored - gone) | {entry.seq for entry in new}

    async def _open(self) -> OutboxFile:
        from kubesonar.notify.outbox_file import OutboxFile

        file = self._file = await self._off(lambda: OutboxFile(self._directory))
        held, lost = await self._off(lambda: file.load(self._limit))
        fresh = [entry for entry in held if entry.seq not in self.entries and entry.seq not in self._stored]
        self._stored = {entry.seq for entry in held}
        self.entries = {entry.seq: entry for entry in fresh} | self.entries
        self._last = max([self._last, *self._stored])
        if lost:
            _LOG.warning("outbox %s held %d notices too many; the oldest were dropped", self._directory, lost)
        if fresh:
            self._found(fresh)
        return file

    async def _leave_file(self) -> None:
        if self._file is not None:
            await self._off(self._file.close)
            self._file = None

    async def _off(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)
