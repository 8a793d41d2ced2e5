"""The tables of the SQLite store: how each version comes of the one before, and how a program goes back by one."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from kubesonar.runtime.sqlite_file import Unreadable, transaction


class Migration(msgspec.Struct, frozen=True):
    """The statements of SQL that lead to a version from the one before, and `back`."""

    up: tuple[str, ...]
    back: tuple[str, ...]


MIGRATIONS = (
    Migration(
        up=(
            "CREATE TABLE records (kind TEXT, name TEXT, value BLOB NOT NULL, expires REAL, PRIMARY KEY (kind, name))",
        ),
        back=("DROP TABLE records",),
    ),
    Migration(
        up=("CREATE INDEX ends ON records (expires) WHERE expires IS NOT NULL",),
        back=("DROP INDEX ends",),
    ),
)
"""The migrations to each version, from 1 on. Version 2 finds what has expired without reading all records."""


def migrate(base: sqlite3.Connection, migrations: Sequence[Migration]) -> None:
    """Bring the tables to the last of `migrations`, in one transaction. A file that is one version ahead is brought
    back by what the newer program left in the table `back`, so that a release can be taken back. Raises `Unreadable`
    for a file that is further ahead, and as `transaction`."""
    with transaction(base):
        version = base.execute("PRAGMA user_version").fetchone()[0]
        if version > len(migrations) + 1:
            raise Unreadable(f"it has version {version}, expected at most {len(migrations) + 1}")
        base.execute("CREATE TABLE IF NOT EXISTS back (version INTEGER, step INTEGER, statement TEXT)")
        if version > len(migrations):
            for (statement,) in base.execute(
                "SELECT statement FROM back WHERE version = ? ORDER BY step", (version,)
            ).fetchall():
                base.execute(statement)
            base.execute("DELETE FROM back WHERE version = ?", (version,))
        for number, migration in enumerate(migrations[version:], version + 1):
            for statement in migration.up:
                base.execute(statement)
            rows = [(number, step, statement) for step, statement in enumerate(migration.back)]
            base.executemany("INSERT INTO back VALUES (?, ?, ?)", rows)
        base.execute(f"PRAGMA user_version = {len(migrations)}")
