"""Versions of the SQLite store's tables."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

import pytest

from kubesonar.net.clock import SystemClock
from kubesonar.runtime.sqlite_file import Unreadable
from kubesonar.stores.migrations import MIGRATIONS, Migration
from kubesonar.stores.record_file import STORE_FILE, RecordFile
from kubesonar.stores.store import Put

NEXT = Migration(("ALTER TABLE records ADD COLUMN colour TEXT",), ("ALTER TABLE records DROP COLUMN colour",))


def opened(folder: Path, migrations: Sequence[Migration] = MIGRATIONS) -> RecordFile:
    return RecordFile(str(folder), 1 << 20, SystemClock(), migrations=migrations)


def version(folder: Path) -> int:
    base = sqlite3.connect(folder / STORE_FILE)
    found: int = base.execute("PRAGMA user_version").fetchone()[0]
    base.close()
    return found


@pytest.mark.parametrize("first", range(1, len(MIGRATIONS) + 1))
def test_a_file_of_any_earlier_version_is_brought_up_with_what_is_in_it(tmp_path: Path, first: int) -> None:
    opened(tmp_path, MIGRATIONS[:first]).close()
    base = sqlite3.connect(tmp_path / STORE_FILE)
    base.execute("INSERT INTO records (kind, name, value) VALUES ('a', 'b', x'7b7d')")
    base.commit()
    base.close()
    file = opened(tmp_path)
    assert file.get("a", "b") == b"{}"
    file.close()
    assert version(tmp_path) == len(MIGRATIONS)


def test_a_program_reads_what_its_successor_wrote_and_the_successor_goes_on(tmp_path: Path) -> None:
    for migrations in (MIGRATIONS, (*MIGRATIONS, NEXT), MIGRATIONS, (*MIGRATIONS, NEXT)):
        file = opened(tmp_path, migrations)
        assert version_in(file, tmp_path) == len(migrations)
    file = opened(tmp_path)
    assert file.get("a", f"version-{len(MIGRATIONS) + 1}") == b"{}"
    file.close()


def version_in(file: RecordFile, folder: Path) -> int:
    """Close the file; return its version, once more after it was written where the tables are ours."""
    file.close()
    found = version(folder)
    base = sqlite3.connect(folder / STORE_FILE)
    base.execute("INSERT OR REPLACE INTO records (kind, name, value) VALUES ('a', ?, x'7b7d')", (f"version-{found}",))
    base.commit()
    base.close()
    return found


def test_a_file_two_versions_ahead_is_left_as_it_is(tmp_path: Path) -> None:
    opened(tmp_path, (*MIGRATIONS, NEXT, Migration((), ()))).close()
    with pytest.raises(Unreadable, match=f"it has version {len(MIGRATIONS) + 2}, expected at most"):
        opened(tmp_path)
    assert version(tmp_path) == len(MIGRATIONS) + 2


def test_what_is_written_by_the_tables_of_now_is_read(tmp_path: Path) -> None:
    file = opened(tmp_path)
    assert file.write([([Put("a", "b", b"{}", 60.0)], None)]) == [True]
    assert [record.name for record in file.read("a", "", "", 10)] == ["b"]
    file.close()
