"""A file is read again when it changes, and a bad one leaves the last good value in force."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kubesonar.net.watched_file import WatchedFile, bad_files, read_file


class Reader:
    """Reads a number from a file, and counts how often."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0

    def __call__(self) -> int:
        self.count += 1
        return int(self.path.read_text())


def watched(path: Path) -> tuple[WatchedFile[int], Reader]:
    read = Reader(path)
    return WatchedFile(read, str(path)), read


def replace(path: Path, text: str) -> None:
    """Swaps the file as a Secret's mount does: a new one under a symbolic link that is replaced."""
    fresh = path.with_name(f"{path.name}.{len(list(path.parent.iterdir()))}")
    fresh.write_text(text)
    link = path.with_name("link")
    link.symlink_to(fresh)
    link.rename(path)


def test_it_is_read_once_for_each_change(tmp_path: Path) -> None:
    path = tmp_path / "file"
    replace(path, "1")
    file, read = watched(path)
    assert (file.get(), file.get(), file.value) == (1, 1, 1)
    replace(path, "2")
    assert file.value == 1
    assert (file.get(), file.get(), read.count) == (2, 2, 2)


def test_it_is_read_again_on_demand_where_it_looks_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("1")
    before = path.stat()
    file, _ = watched(path)
    assert file.get() == 1
    path.write_text("2")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (file.get(), file.get(again=True)) == (1, 2)


def test_each_new_reason_is_logged_once_and_the_value_stays(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "file"
    path.write_text("1")
    file, read = watched(path)
    file.get()
    path.write_text("x")
    assert (file.get(), file.get(), read.count) == (1, 1, 2)
    assert "invalid literal" in file.trouble
    path.unlink()
    assert (file.get(), file.get()) == (1, 1)
    assert [record.getMessage().partition(": ")[2] for record in caplog.records] == [
        "invalid literal for int() with base 10: 'x'; what was read before stays in force",
        "No such file or directory; what was read before stays in force",
    ]
    assert f"{path}: No such file or directory; what was read before stays in force" in bad_files()
    path.write_text("3")
    assert (file.get(), file.trouble) == (3, "")
    assert not any(str(path) in remark for remark in bad_files())


def test_without_a_good_value_every_read_raises(tmp_path: Path) -> None:
    path = tmp_path / "file"
    file, _ = watched(path)
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            file.get()
    path.write_text("x")
    for _ in range(2):
        with pytest.raises(ValueError, match="invalid literal"):
            file.get()
    path.write_text("1")
    assert file.get() == 1


def test_a_change_of_any_of_several_files_counts(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_text("1")
    two.write_text("2")
    file = WatchedFile(lambda: one.read_text() + two.read_text(), str(one), str(two))
    assert file.get() == "12"
    replace(two, "3")
    assert file.get() == "13"


def test_it_settles_once_it_stood_still_between_two_looks(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("1")
    file, _ = watched(path)
    file.get()
    assert not file.settled()
    path.write_text("22")
    assert not file.settled()
    path.write_text("333")
    assert not file.settled()
    assert file.settled()
    file.get()
    assert not file.settled()
    path.unlink()
    assert not file.settled()
    assert file.settled()
    file.get()
    assert not file.settled()


def test_a_file_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x" * 11)
    assert read_file(str(path), 11) == b"x" * 11
    with pytest.raises(ValueError, match="larger than 10 bytes"):
        read_file(str(path), 10)
