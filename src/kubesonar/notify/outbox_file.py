"""The outbox on disk: one SQLite file, used by one thread. Nothing here awaits; see `outbox.py`."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

import msgspec

from kubesonar.core.decoding import convert_plain
from kubesonar.notify.outbox_entry import NOTICE_BODY_LIMIT, OutboxEntry

OUTBOX_VERSION = 1
"""Version of the file's tables (PRAGMA user_version). A file of another version is set aside."""

OUTBOX_FILE = "outbox.sqlite"
_ASIDE = ".unreadable"
_BESIDE = ("-wal", "-shm")

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


_TRANSIENT = frozenset(
    {
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
    }
)
"""Primary result codes (https://www.sqlite.org/rescode.html) that blame the machine, not the file. After these
the file is tried again; after all others it is set aside."""

_COLUMNS = OutboxEntry.__struct_fields__


class Unreadable(Exception):
    """The file is no outbox of this version. The message is a clause."""


class Unavailable(Exception):
    """The file cannot be used now, as on a full disk. The message is a clause."""


class OutboxFile:
    """An open outbox, locked against other processes. Every method raises `Unreadable` or `Unavailable`."""

    def __init__(self, directory: str, wait: float = 1.0) -> None:
        path = os.path.join(directory, OUTBOX_FILE)  # noqa: PTH118 (pathlib costs an agent 0.3 MiB)
        _make_private(path)
        with _classified():
            self._base = sqlite3.connect(path, timeout=wait, isolation_level=None, check_same_thread=False)
        try:
            with _classified():
                self._prepare()
        except (Unreadable, Unavailable):
            self._base.close()
            raise

    def load(self, limit: int) -> tuple[list[OutboxEntry], int]:
        """Return its entries in order, and how many were deleted: those that are too large, and the oldest beyond
        `limit`."""
        with _classified():
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
        with _classified():
            self._base.execute("BEGIN IMMEDIATE")
            try:
                self._base.executemany("DELETE FROM outbox WHERE seq = ?", [(seq,) for seq in gone])
                self._base.executemany(
                    "INSERT OR REPLACE INTO outbox VALUES (?, ?, ?, ?, ?, ?)", map(msgspec.structs.astuple, new)
                )
                self._base.execute("COMMIT")
            except sqlite3.Error:
                with suppress(sqlite3.Error):  # a full disk has rolled it back already
                    self._base.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Merge the write-ahead log into the file and release the lock."""
        self._base.close()

    def _prepare(self) -> None:
        self._base.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._base.execute("PRAGMA journal_mode = WAL")
        self._base.execute("PRAGMA synchronous = FULL")  # a notice that was taken over survives a power cut
        self._base.execute("BEGIN EXCLUSIVE")
        version = self._base.execute("PRAGMA user_version").fetchone()[0]
        if version not in (0, OUTBOX_VERSION):
            raise Unreadable(f"it has version {version}, expected {OUTBOX_VERSION}")
        self._base.execute(_TABLE)
        self._base.execute(f"PRAGMA user_version = {OUTBOX_VERSION}")
        self._base.execute("COMMIT")


@contextmanager
def _classified() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # the primary one
        raise (Unavailable if code in _TRANSIENT else Unreadable)(str(error)) from error


def _make_private(path: str) -> None:
    """Let only the owner read the file, which is made where there is none, and its log: bodies and receivers may be
    secrets. SQLite gives a new log the mode of the file."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise Unavailable(f"it cannot be opened: {error.strerror}") from error
    for end in ("", *_BESIDE):
        with suppress(FileNotFoundError, PermissionError):  # one that belongs to somebody else stays as it is
            os.chmod(path + end, 0o600)  # noqa: PTH101


def set_aside(directory: str) -> str:
    """Rename a file that cannot be read, over the one set aside before; return its new path. Raises `Unavailable`."""
    path = os.path.join(directory, OUTBOX_FILE)  # noqa: PTH118
    try:
        for end in _BESIDE:
            with suppress(FileNotFoundError):
                os.remove(path + end)  # noqa: PTH107
        os.replace(path, path + _ASIDE)  # noqa: PTH105
    except OSError as error:
        raise Unavailable(f"it cannot be set aside: {error.strerror}") from error
    return path + _ASIDE
