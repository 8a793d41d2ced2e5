"""The support archive: a tar.gz of JSON and text, written within bounds and read without trust.

`manifest.json` says when it was made and by which version. `snapshots/` holds what each agent knew, `unread.json` why
others could not be read; or `verdict.json` what a collector said. Nothing is ever extracted to a disk.
"""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, TypeVar

import msgspec

from kubesonar import __version__
from kubesonar.apps.client.gather import Assessment, Gathered, assess_gathered, decode_snapshot
from kubesonar.config import ConfigError
from kubesonar.core.decoding import Undecodable, decode_json
from kubesonar.core.encoding import encode_json, format_json
from kubesonar.model import Snapshot, Verdict, clip

ARCHIVE_SCHEMA = 1
"""Version of the archive; raised when a reader of the version before could misread one."""

PART_LIMIT = 8 << 20
"""Largest file in an archive (bytes), that of the largest snapshot which is gathered. A larger one is left out, and
refused by the reader."""

TOTAL_LIMIT = 256 << 20
"""Most bytes of an archive when it is unpacked. Lower: not every agent of a large mesh fits; higher: a hostile archive
takes that much memory and time."""

PARTS_LIMIT = 10_000
"""Most files in an archive."""

T = TypeVar("T")

_MANIFEST, _UNREAD, _VERDICT, _SNAPSHOTS = "manifest.json", "unread.json", "verdict.json", "snapshots/"


class Manifest(msgspec.Struct, frozen=True):
    """The first file: the archive's version, the program's, when it was made (Unix seconds), and what was left
    out, with reasons."""

    schema: int
    kubesonar: str
    at: float
    left_out: tuple[str, ...] = ()


class ArchiveWriter:
    """Collects files in memory and writes them all at once, so that an archive is whole or not there. `at` is when they
    were gathered (Unix seconds), `left_out` what is missing, with reasons."""

    def __init__(self, at: float) -> None:
        self.at = at
        self._files: dict[str, bytes] = {}
        self._total = 0
        self.left_out: list[str] = []

    def add(self, name: str, data: bytes) -> None:
        """Add a file; one that is too large, or more than fits, is noted as left out."""
        if len(data) > PART_LIMIT or self._total + len(data) > TOTAL_LIMIT or len(self._files) >= PARTS_LIMIT - 1:
            self.left_out.append(f"{name}: too large")
            return
        self._files[name] = data
        self._total += len(data)

    def gathered(self, gathered: Gathered) -> None:
        """Add the snapshots of agents, and why the others could not be read."""
        for number, snapshot in enumerate(gathered.snapshots):
            self.add(f"{_SNAPSHOTS}{number:04}.json", encode_json(snapshot))
        self.add(_UNREAD, format_json(gathered.unread))

    def verdict(self, verdict: Verdict) -> None:
        """Add the verdict of a collector."""
        self.add(_VERDICT, format_json(verdict))

    def inventory(self) -> list[str]:
        """Return what is in it, a line for each file of the top and for each folder, which its number of files
        follows."""
        folders = Counter(name.partition("/")[0] + "/" for name in self._files if "/" in name)
        counted = [f"{folder} ({count})" for folder, count in folders.items()]
        return [_MANIFEST, *(name for name in self._files if "/" not in name), *counted]

    def write(self, path: Path) -> int:
        """Write the archive, which must not exist, for its owner alone; return its size in bytes. Raises OSError."""
        manifest = Manifest(ARCHIVE_SCHEMA, __version__, self.at, tuple(self.left_out))
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            with tarfile.open(fileobj=file, mode="w:gz") as tar:
                for name, data in {_MANIFEST: format_json(manifest), **self._files}.items():
                    info = tarfile.TarInfo(name)
                    info.size, info.mode = len(data), 0o600
                    tar.addfile(info, io.BytesIO(data))
            return file.tell()


class ArchiveContents(msgspec.Struct, frozen=True):
    """The contents of an archive: the state of the network at `at` (Unix seconds); `verdict` is a collector's, None
    where agents were asked."""

    at: float
    gathered: Gathered
    verdict: Verdict | None = None

    def assessment(self) -> Assessment:
        """Return what a look at that time would have found: the same verdict."""
        found = assess_gathered(self.gathered, self.at)
        return found if self.verdict is None else msgspec.structs.replace(found, verdict=self.verdict)


def read_archive(path: Path) -> ArchiveContents:
    """Read a support archive. Raises ConfigError, with one sentence, for what is none or exceeds the bounds."""
    try:
        with path.open("rb") as file:
            return _contents(dict(_files(file)))
    except OSError as error:
        why = error.strerror or str(error)
    except (tarfile.TarError, zlib.error, EOFError, ValueError, OverflowError) as error:
        why = str(error)
    raise ConfigError(f"--from: {clip(str(path), 120)} is no support archive that can be read: {clip(why, 160)}")


def _files(file: BinaryIO) -> Iterator[tuple[str, bytes]]:
    """Yield the regular files; links, devices and folders are passed over, names are only compared."""
    with tarfile.open(fileobj=_Bounded(gzip.GzipFile(fileobj=file)), mode="r:") as tar:
        for number, info in enumerate(tar):
            if number >= PARTS_LIMIT:
                raise ValueError(f"more than {PARTS_LIMIT} files")
            if info.size > PART_LIMIT:
                raise ValueError(f"{clip(info.name, 80)} has more than {PART_LIMIT >> 20} MiB")
            part = tar.extractfile(info) if info.isreg() and not info.issparse() else None
            if part is not None:
                yield info.name, part.read(PART_LIMIT)


def _contents(files: dict[str, bytes]) -> ArchiveContents:
    if _MANIFEST not in files:
        raise ValueError(f"it has no {_MANIFEST}")
    manifest = _decoded(files, _MANIFEST, Manifest)
    if manifest.schema != ARCHIVE_SCHEMA:
        raise ValueError(f"it has schema {manifest.schema}, expected {ARCHIVE_SCHEMA}")
    snapshots = [_snapshot(name, data) for name, data in files.items() if name.startswith(_SNAPSHOTS)]
    unread = _decoded(files, _UNREAD, dict[str, str]) if _UNREAD in files else {}
    verdict = _decoded(files, _VERDICT, Verdict) if _VERDICT in files else None
    if verdict is None and not snapshots and not unread:
        raise ValueError("it has neither snapshots nor a verdict")
    return ArchiveContents(manifest.at, Gathered(snapshots, unread), verdict)


def _snapshot(name: str, data: bytes) -> Snapshot:
    snapshot = decode_snapshot(data)
    if isinstance(snapshot, str):
        raise ValueError(f"{clip(name, 80)}: {snapshot}")  # noqa: TRY004
    return snapshot


def _decoded(files: dict[str, bytes], name: str, kind: type[T]) -> T:
    try:
        return decode_json(files[name], kind)
    except Undecodable as error:
        raise ValueError(f"{name}: {error}") from None


class _Bounded(io.RawIOBase):
    """A stream of what gzip unpacks, up to `TOTAL_LIMIT`, never much of it at once: headers of tar announce sizes
    too."""

    def __init__(self, unpacked: gzip.GzipFile) -> None:
        self._unpacked = unpacked

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= PART_LIMIT:
            raise ValueError(f"a part of more than {PART_LIMIT >> 20} MiB")
        data = self._unpacked.read(size)
        self._check(self._unpacked.tell())
        return data

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._check(offset)
        return self._unpacked.seek(offset, whence)

    def tell(self) -> int:
        return self._unpacked.tell()

    def _check(self, position: int) -> None:
        if position > TOTAL_LIMIT:
            raise ValueError(f"more than {TOTAL_LIMIT >> 20} MiB")
