"""SQLite files that one process owns: opened private and crash-safe, with two kinds of errors, and set aside when
they cannot be read. Nothing here awaits."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_ASIDE = ".unreadable"
_BESIDE = ("-wal", "-shm")

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


class Unreadable(Exception):
    """The file is not what it should be. The message is a clause."""


class Unavailable(Exception):
    """The file cannot be used now, as on a full disk. The message is a clause."""


def open_sqlite(path: str, wait: float = 1.0) -> sqlite3.Connection:
    """Return the file at `path`, made where there is none and locked against other processes, for which it waits up to
    `wait` seconds. A transaction that has ended survives a power cut. Any one thread may use it. Raises `Unreadable`
    and `Unavailable`."""
    _make_private(path)
    with classified():
        base = sqlite3.connect(path, timeout=wait, isolation_level=None, check_same_thread=False)
        try:
            base.execute("PRAGMA locking_mode = EXCLUSIVE")
            base.execute("PRAGMA journal_mode = WAL")
            base.execute("PRAGMA synchronous = FULL")
        except sqlite3.Error:
            base.close()
            raise
    return base


@contextmanager
def transaction(base: sqlite3.Connection) -> Iterator[None]:
    """Do what is inside all or nothing; it is on the disk afterwards. Raises `Unreadable` and `Unavailable`."""
    with classified():
        base.execute("BEGIN IMMEDIATE")
        try:
            yield
            base.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # a full disk has rolled it back already
                base.execute("ROLLBACK")
            raise


@contextmanager
def classified() -> Iterator[None]:
    """Turn an error of SQLite into `Unavailable` or `Unreadable`."""
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF  # the primary one
        raise (Unavailable if code in _TRANSIENT else Unreadable)(str(error)) from error


def set_aside(path: str) -> str:
    """Rename a file that cannot be read, over the one set aside before; return its new path. Raises `Unavailable`."""
    try:
        for end in _BESIDE:
            with suppress(FileNotFoundError):
                os.remove(path + end)  # noqa: PTH107
        os.replace(path, path + _ASIDE)  # noqa: PTH105
    except OSError as error:
        raise Unavailable(f"it cannot be set aside: {error.strerror}") from error
    return path + _ASIDE


def _make_private(path: str) -> None:
    """Let only the owner read the file, which is made where there is none, and its log: contents may be secrets. SQLite
    gives a new log the mode of the file."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    except OSError as error:
        raise Unavailable(f"it cannot be opened: {error.strerror}") from error
    for end in ("", *_BESIDE):
        with suppress(FileNotFoundError, PermissionError):  # one that belongs to somebody else stays as it is
            os.chmod(path + end, 0o600)  # noqa: PTH101
