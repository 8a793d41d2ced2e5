"""The records in one SQLite file, used by one thread at a time. Nothing here awaits; see `sqlite.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kubesonar.net.clock import Clock
from kubesonar.runtime.sqlite_file import Unavailable, Unreadable, classified, open_sqlite, transaction
from kubesonar.stores.migrations import MIGRATIONS, Migration, migrate
from kubesonar.stores.store import Change, Guard, Put, StoredRecord, StoreRefused, last_changes

STORE_FILE = "store.sqlite"
_LIVE = "(expires IS NULL OR expires > ?)"

_Key = tuple[str, str]


class RecordFile:
    """An open file that holds at most `limit` bytes of values; see `MemoryStore` for what makes room. Over a restart
    expiry follows the wall's clock; a step of that clock while the file is open ends nothing. Methods raise
    `Unreadable` and `Unavailable`, after which the file is to be closed."""

    def __init__(
        self,
        directory: str,
        limit: int,
        clock: Clock,
        *,
        migrations: Sequence[Migration] = MIGRATIONS,
    ) -> None:
        self.dropped = 0
        self._limit = limit
        self._clock = clock
        self._ahead = clock.wall() - clock.mono()
        self._base = open_sqlite(f"{directory}/{STORE_FILE}")
        try:
            migrate(self._base, migrations)
            with classified():
                self._size = self._base.execute("SELECT coalesce(sum(length(value)), 0) FROM records").fetchone()[0]
        except (Unreadable, Unavailable):
            self._base.close()
            raise

    def write(self, writes: Sequence[tuple[Sequence[Change], Guard | None]]) -> list[bool | StoreRefused]:
        """Do the writes in order, in one transaction, and return what each has come to: False where its guard does not
        hold, a `StoreRefused` where it has no room, True once it is on the disk."""
        with transaction(self._base):
            gone = self._base.execute("SELECT sum(length(value)) FROM records WHERE expires <= ?", (self._now,))
            self._size -= gone.fetchone()[0] or 0
            self._base.execute("DELETE FROM records WHERE expires <= ?", (self._now,))
            return [self._write(changes, guard) for changes, guard in writes]

    def get(self, kind: str, name: str) -> bytes | None:
        """Return a record's value."""
        with classified():
            return self._value((kind, name))

    def read(self, kind: str, prefix: str, after: str, limit: int) -> list[StoredRecord]:
        """Return records in the order of their names."""
        end = prefix[:-1] + chr(ord(prefix[-1]) + 1) if prefix else "\x7f"
        with classified():
            rows = self._base.execute(
                f"SELECT name, value FROM records WHERE kind = ? AND name >= ? AND name > ? AND name < ? AND {_LIVE}"
                " ORDER BY name LIMIT ?",
                (kind, prefix, after, end, self._now, limit),
            ).fetchall()
        return [StoredRecord(name, value) for name, value in rows]

    def close(self) -> None:
        """Merge the write-ahead log into the file and release the lock."""
        self._base.close()

    @property
    def _now(self) -> float:
        return self._clock.mono() + self._ahead

    def _write(self, changes: Sequence[Change], guard: Guard | None) -> bool | StoreRefused:
        if guard is not None and self._value((guard.kind, guard.name)) != guard.value:
            return False
        last = last_changes(changes)
        if not self._make_room(last):
            return StoreRefused(f"the store is full: at most {self._limit} bytes fit")
        for key, change in last.items():
            self._remove(key)
            if isinstance(change, Put):
                end = None if change.time_to_live is None else self._now + change.time_to_live
                self._base.execute("INSERT INTO records VALUES (?, ?, ?, ?)", (*key, change.value, end))
                self._size += len(change.value)
        return True

    def _make_room(self, changes: Mapping[_Key, Change]) -> bool:
        size = self._size + sum(len(change.value) for change in changes.values() if isinstance(change, Put))
        if size <= self._limit:
            return True
        size -= sum(self._length(key) for key in changes)
        victims: list[_Key] = []
        rows = self._base.execute(
            "SELECT kind, name, length(value) FROM records WHERE expires IS NOT NULL ORDER BY expires"
        )
        while size > self._limit and (row := rows.fetchone()):
            if row[:2] not in changes:
                victims.append(row[:2])
                size -= row[2]
        rows.close()
        if size > self._limit:
            return False
        self.dropped += len(victims)
        for key in victims:
            self._remove(key)
        return True

    def _value(self, key: _Key) -> bytes | None:
        found = self._base.execute(
            f"SELECT value FROM records WHERE kind = ? AND name = ? AND {_LIVE}", (*key, self._now)
        ).fetchone()
        return None if found is None else found[0]

    def _length(self, key: _Key) -> int:
        found = self._base.execute("SELECT length(value) FROM records WHERE kind = ? AND name = ?", key).fetchone()
        return 0 if found is None else int(found[0])

    def _remove(self, key: _Key) -> None:
        self._size -= self._length(key)
        self._base.execute("DELETE FROM records WHERE kind = ? AND name = ?", key)
