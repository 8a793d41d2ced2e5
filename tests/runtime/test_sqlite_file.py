"""SQLite files that one process owns."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from kubesonar.runtime.sqlite_file import Unavailable, Unreadable, classified, open_sqlite, set_aside, transaction


def rows(path: Path) -> list[int]:
    base = sqlite3.connect(path)
    found = [row[0] for row in base.execute("SELECT x FROM t ORDER BY x")]
    base.close()
    return found


def test_a_transaction_is_done_whole_or_not_at_all(tmp_path: Path) -> None:
    base = open_sqlite(str(tmp_path / "a"), 0.1)
    with transaction(base):
        base.execute("CREATE TABLE t (x INTEGER UNIQUE)")
        base.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(Unreadable, match="UNIQUE"), transaction(base):
        base.execute("INSERT INTO t VALUES (2)")
        base.execute("INSERT INTO t VALUES (1)")
    with pytest.raises(KeyError), transaction(base):
        base.execute("INSERT INTO t VALUES (3)")
        raise KeyError
    with transaction(base):
        base.execute("INSERT INTO t VALUES (4)")
    base.close()
    assert rows(tmp_path / "a") == [1, 4]


def test_errors_blame_the_file_or_the_machine(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="it cannot be opened: No such file or directory"):
        open_sqlite(str(tmp_path / "missing" / "a"), 0.1)
    (tmp_path / "a").write_bytes(b"nonsense" * 1000)
    with pytest.raises(Unreadable, match="not a database"):
        open_sqlite(str(tmp_path / "a"), 0.1)
    base = open_sqlite(str(tmp_path / "b"), 0.1)
    with transaction(base):
        base.execute("CREATE TABLE t (x)")
    with pytest.raises(Unavailable, match="locked"):
        open_sqlite(str(tmp_path / "b"), 0.01)
    with pytest.raises(Unreadable, match="no such table"), classified():
        base.execute("SELECT * FROM missing")
    base.close()


def test_a_file_is_set_aside_over_the_one_before_and_its_log_goes(tmp_path: Path) -> None:
    for text in ("first", "second"):
        (tmp_path / "a").write_text(text)
        (tmp_path / "a-wal").write_text("log")
        assert set_aside(str(tmp_path / "a")) == str(tmp_path / "a.unreadable")
    assert [file.name for file in tmp_path.iterdir()] == ["a.unreadable"]
    assert (tmp_path / "a.unreadable").read_text() == "second"
    with pytest.raises(Unavailable, match="it cannot be set aside: No such file"):
        set_aside(str(tmp_path / "a"))
