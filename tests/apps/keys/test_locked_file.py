"""A file changes as a whole, for its owner only, one writer after the other."""

from __future__ import annotations

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from kubesonar.apps.keys.locked_file import change_file
from kubesonar.net.udp.key_file import read_keys


def append(data: bytes) -> tuple[bytes, str]:
    return data + b"x", "done"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_missing_file_is_made_for_its_owner_only(tmp_path: Path) -> None:
    assert change_file(tmp_path / "keys", 10, append) == "done"
    assert ((tmp_path / "keys").read_bytes(), mode(tmp_path / "keys")) == (b"x", 0o600)
    assert [entry.name for entry in tmp_path.iterdir()] == ["keys"]


@pytest.mark.parametrize("bits", [0o600, 0o640, 0o644, 0o400])
def test_a_file_keeps_its_mode(tmp_path: Path, bits: int) -> None:
    path = tmp_path / "keys"
    path.write_bytes(b"1")
    path.chmod(bits)
    change_file(path, 10, append)
    assert (path.read_bytes(), mode(path)) == (b"1x", bits)


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"1")
    (tmp_path / "keys").symlink_to("real")
    change_file(tmp_path / "keys", 10, append)
    assert (tmp_path / "keys").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"1x"


def test_what_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_bytes(b"broken")
    before = path.stat()

    def refuse(data: bytes) -> tuple[bytes, str]:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        change_file(path, 10, refuse)
    with pytest.raises(ValueError, match="larger than 3 bytes"):
        change_file(path, 3, append)
    assert path.stat() == before
    assert [entry.name for entry in tmp_path.iterdir()] == ["keys"]
    with pytest.raises(FileNotFoundError):
        change_file(tmp_path / "nowhere" / "keys", 10, append)


def test_writers_at_the_same_time_take_turns(tmp_path: Path) -> None:
    """Of six that append a key at once, four succeed: as many as can be valid; and no id is given twice."""
    path = tmp_path / "keys"
    command = [sys.executable, "-m", "kubesonar", "keys", "make", "--append", str(path)]
    writers = [subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(6)]
    assert sorted(writer.wait(60) for writer in writers) == [0, 0, 0, 0, 1, 1]
    assert sorted(read_keys(path.read_bytes()).ids) == [1, 2, 3, 4]
    assert [entry.name for entry in tmp_path.iterdir()] == ["keys"]
