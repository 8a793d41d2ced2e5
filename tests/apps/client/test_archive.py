"""The support archive: what is written is read again, and a hostile one is one sentence."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from kubesonar.apps.client.archive import PART_LIMIT, PARTS_LIMIT, TOTAL_LIMIT, ArchiveWriter, read_archive
from kubesonar.apps.client.gather import Gathered
from kubesonar.config import ConfigError
from kubesonar.model import Health, Snapshot, Verdict
from tests.apps.listening import snapshots
from tests.core.mesh import Mesh

MANIFEST = json.dumps({"schema": 1, "kubesonar": "1", "at": 1_000_000.0}).encode()
EMPTY: dict[str, bytes] = {"manifest.json": MANIFEST, "unread.json": b'{"a": "silent"}'}


def _gathered(mesh: Mesh) -> Gathered:
    told = snapshots(mesh)
    read = [each for each in told.values() if isinstance(each, Snapshot)]
    return Gathered(read, {name: each for name, each in told.items() if isinstance(each, str)})


def _tar(path: Path, files: Mapping[str, bytes], *more: tarfile.TarInfo, **options: Any) -> Path:
    with tarfile.open(path, "w:gz", **options) as tar:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        for info in more:
            tar.addfile(info)
    return path


def _refusal(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        read_archive(path)
    sentence = str(caught.value)
    assert sentence.startswith("--from: ")
    assert "\n" not in sentence
    return sentence


def test_snapshots_give_the_same_verdict_later(tmp_path: Path) -> None:
    gathered = _gathered(Mesh().cut("node-3"))
    writer = ArchiveWriter(gathered.snapshots[0].at)
    writer.gathered(gathered)
    assert writer.write(tmp_path / "a") == (tmp_path / "a").stat().st_size
    again = read_archive(tmp_path / "a").assessment()
    assert again.verdict.sentence.startswith("node-3 is cut off")
    assert read_archive(tmp_path / "a").assessment().verdict == again.verdict
    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o600
    with pytest.raises(FileExistsError):
        writer.write(tmp_path / "a")


def test_a_collectors_verdict_is_told_as_it_was(tmp_path: Path) -> None:
    verdict = Verdict(Health.BAD, "dns-1 is dead", 1_000_000.0)
    writer = ArchiveWriter(1_000_060.0)
    writer.verdict(verdict)
    writer.write(tmp_path / "a")
    assert read_archive(tmp_path / "a").assessment().verdict == verdict


def test_what_is_too_large_is_left_out_and_said(tmp_path: Path) -> None:
    writer = ArchiveWriter(0.0)
    writer.add("logs/a", b"x" * (PART_LIMIT + 1))
    writer.add("logs/b", b"x")
    assert (writer.inventory(), writer.left_out) == (["manifest.json", "logs/ (1)"], ["logs/a: too large"])


def test_names_lead_nowhere_and_links_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/etc/passwd")
    with tarfile.open(tmp_path / "other", "w") as other:
        link = other.gettarinfo(tmp_path / "link", "snapshots/0.json")
    assert link.issym()
    device = tarfile.TarInfo("verdict.json")
    device.type = tarfile.CHRTYPE
    path = _tar(tmp_path / "a", {"../../escaped": b"x", "/etc/cron.d/x": b"x", **EMPTY}, link, device)
    contents = read_archive(path)
    assert (contents.gathered.snapshots, contents.verdict) == ([], None)
    assert {each.name for each in tmp_path.iterdir()} == {"a", "link", "other"}


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({}, "it has no manifest.json"),
        ({"manifest.json": b"{"}, "manifest.json: "),
        ({"manifest.json": MANIFEST.replace(b": 1,", b": 2,")}, "it has schema 2, expected 1"),
        ({"manifest.json": MANIFEST}, "it has neither snapshots nor a verdict"),
        ({**EMPTY, "verdict.json": b"[]"}, "verdict.json: "),
        ({**EMPTY, "unread.json": b'{"a": 1}'}, "unread.json: "),
        ({**EMPTY, "snapshots/1.json": b"{}"}, "snapshots/1.json: "),
        ({**EMPTY, "snapshots/1.json": b"\xff"}, "snapshots/1.json: "),
        ({**EMPTY, "logs/a": b"x" * (PART_LIMIT + 1)}, "logs/a has more than 8 MiB"),
    ],
)
def test_contents_that_do_not_fit_are_one_sentence(tmp_path: Path, files: dict[str, bytes], sentence: str) -> None:
    assert sentence in _refusal(_tar(tmp_path / "a", files))


def test_too_many_files_are_refused(tmp_path: Path) -> None:
    path = _tar(tmp_path / "a", {f"x{number}": b"" for number in range(PARTS_LIMIT + 1)}, compresslevel=1)
    assert "more than 10000 files" in _refusal(path)


@pytest.mark.parametrize(
    "data", [b"", b"not gzip", b"\x1f\x8b\x08\x00", gzip.compress(b"", mtime=0), gzip.compress(b"x" * 2000, mtime=0)]
)
def test_what_is_no_archive_is_one_sentence(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a").write_bytes(data)
    _refusal(tmp_path / "a")


@pytest.mark.parametrize("cut", [40, 300, 500])
def test_a_part_of_an_archive_is_one_sentence(tmp_path: Path, cut: int) -> None:
    whole = _tar(tmp_path / "a", {**EMPTY, "logs/a": bytes(range(256)) * 40}).read_bytes()
    (tmp_path / "b").write_bytes(whole[: min(cut, len(whole) - 9)])
    _refusal(tmp_path / "b")


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    """Headers that announce gigabytes: of a file, and of a pax header, which tarfile would read whole."""
    for kind in (tarfile.REGTYPE, tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME):
        info = tarfile.TarInfo("bomb")
        info.type, info.size = kind, 1 << 40
        (tmp_path / "a").write_bytes(gzip.compress(info.tobuf()))
        _refusal(tmp_path / "a")
    zeros = gzip.compress(bytes(16 << 20), compresslevel=1)
    members = b"".join(zeros for _ in range((TOTAL_LIMIT >> 24) + 2))
    header = tarfile.TarInfo("bomb")
    header.type, header.size = tarfile.DIRTYPE, 0
    (tmp_path / "b").write_bytes(gzip.compress(header.tobuf()) + members)
    _refusal(tmp_path / "b")


def test_a_sparse_file_is_passed_over(tmp_path: Path) -> None:
    info = tarfile.TarInfo("verdict.json")
    info.type, info.size = tarfile.GNUTYPE_SPARSE, 0
    header = bytearray(info.tobuf(tarfile.GNU_FORMAT))
    header[483:495] = b"%011o\0" % 5_000_000
    header[148:156] = b"%06o\0 " % (sum(header[:148]) + 8 * 32 + sum(header[156:512]))
    with gzip.open(_tar(tmp_path / "a", EMPTY)) as file:
        plain = file.read()
    (tmp_path / "b").write_bytes(gzip.compress(bytes(header[:512]) + plain))
    assert read_archive(tmp_path / "b").verdict is None


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    assert "No such file or directory" in _refusal(tmp_path / "none")
    assert "directory" in _refusal(tmp_path)
