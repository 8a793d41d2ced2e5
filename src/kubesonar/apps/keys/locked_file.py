"""Changes a file as a whole or not at all, one writer after the other."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from kubesonar.net.watched_file import read_file


def change_file(path: Path, limit: int, change: Callable[[bytes], tuple[bytes, str]]) -> str:
    """Replace a file of at most `limit` bytes by what `change` makes of its bytes, and return what `change` says.

    A file that is missing is empty, and made for its owner only (0600); one that is there keeps mode and owner. Writers
    wait for each other by a lock on the folder; readers see the file before or after. Raises OSError, and ValueError
    where the file is too large or `change` does; then the file is as before.
    """
    real = path.resolve()
    folder = os.open(real.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        before = real.stat() if real.exists() else None
        data, said = change(read_file(str(real), limit) if before else b"")
        _replace(real, data, before)
        os.fsync(folder)
    finally:
        os.close(folder)
    return said


def _replace(path: Path, data: bytes, before: os.stat_result | None) -> None:
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with suppress(FileNotFoundError):
        draft.unlink()
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if before:
                if (before.st_uid, before.st_gid) != (os.geteuid(), os.getegid()):
                    os.fchown(file.fileno(), before.st_uid, before.st_gid)
                os.fchmod(file.fileno(), stat.S_IMODE(before.st_mode))
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.rename(path)
    except BaseException:
        with suppress(FileNotFoundError):
            draft.unlink()
        raise
