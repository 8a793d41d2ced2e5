"""The outbox on disk: one SQLite file, used by one thread. Nothing here awaits; see `outbox.py`."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from kubesonar.core.decoding import convert_plain
from kubesonar.notify.outbox_entry import NOTICE_BODY_LIMIT, OutboxEntry
from kubesonar.runtime.sqlite_file import Unavailable, Unreadable, classified, open_sqlite, transaction

OUTBOX_VERSION = 1
"""Version of the file's tables (PRAGMA user_version). A file of another version is set aside."""

OUTBOX_FILE = "outbox.sqlite"

_TABLE = """
CREATE TABLE IF NOT EXISTS outbox (
    seq INTEGER PRIMARY KEY,
    receiver TEXT NOT NULL,
    id TEXT NOT NULL,
    subject TEXT NOT NULL,
    told REAL NOT NULL,
    body BLOB NOT NULL
)
"""


_COLUMNS = OutboxEntry.__struct_fields__


class OutboxFile:
    """An open outbox, locked against other processes. Every method raises `Unreadable` or `Unavailable`."""

    def __init__(self, directory: str, wait: float = 1.0) -> None:
        self._base = open_sqlite(f"{directory}/{OUTBOX_FILE}", wait)
        try:
            self._prepare()
        except (Unreadable, Unavailable):
            self._base.close()
            raise

    def load(self, limit: int) -> tuple[list[OutboxEntry], int]:
        """Return its entries in order, and how many were deleted: those that are too large, and the oldest beyond
        `limit`."""
        with classified():
            lost = self._base.execute(
                "DELETE FROM outbox WHERE length(body) > ? OR seq NOT IN"
                " (SELECT seq FROM outbox ORDER BY seq DESC LIMIT ?)",
                (NOTICE_BODY_LIMIT, limit),
            ).rowcount
            rows = self._base.execute(f"SELECT {', '.join(_COLUMNS)} FROM outbox ORDER BY seq").fetchall()
        try:
            entries = [convert_plain(dict(zip(_COLUMNS, row, strict=True)), OutboxEntry) for row in rows]
            for entry in entries:
                entry.body.decode()  # what is signed is text
        except ValueError as error:  # Undecodable is one
            raise Unreadable(f"a row is not what it should be: {error}") from None
        return entries, lost

    def write(self, new: Iterable[OutboxEntry], gone: Iterable[int]) -> None:
        """Add and delete entries, all or nothing, and return when that is on the disk."""
        with transaction(self._base):
            self._base.executemany("DELETE FROM outbox WHERE seq = ?", [(seq,) for seq in gone])
            self._base.executemany(
                "INSERT OR REPLACE INTO outbox VALUES (?, ?, ?, ?, ?, ?)", map(msgspec.structs.astuple, new)
            )

    def close(self) -> None:
        """Merge the write-ahead log into the file and release the lock."""
        self._base.close()

    def _prepare(self) -> None:
        with transaction(self._base):
            version = self._base.execute("PRAGMA user_version").fetchone()[0]
            if version not in (0, OUTBOX_VERSION):
                raise Unreadable(f"it has version {version}, expected {OUTBOX_VERSION}")
            self._base.execute(_TABLE)
            self._base.execute(f"PRAGMA user_version = {OUTBOX_VERSION}")
