"""Files that are read again when they change.

Used for the members file, key files, CA bundles, service account tokens, client certificates, certificates and tokens
of listeners, and receivers' secrets: whatever a mounted Secret or ConfigMap may replace while the program runs.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from typing import Any, Generic, TypeVar
from weakref import WeakSet

_LOG = logging.getLogger("kubesonar.files")

Value = TypeVar("Value")

_TOKEN_LIMIT = 32_768
"""Bytes of a token file that are read. Fewer, and a long list of tokens is refused; more, and a wrong path costs
memory."""

_Stamp = tuple[tuple[int, int, int, int], ...]


class WatchedFile(Generic[Value]):
    """A value that `read` makes of the files at `paths`, made again when one of them changes.

    Each `get` costs one `stat` a file: no thread and no inotify. A mounted Secret is replaced by swapping a symbolic
    link, which changes the inode. Where a changed file is bad or missing, the last good value stays in force, and each
    new reason is logged once.
    """

    def __init__(self, read: Callable[[], Value], *paths: str) -> None:
        self.trouble = ""
        """The reason why the files cannot be used as they are now; empty where they can."""
        self._read = read
        self._paths = paths
        self._value: Value | None = None
        self._tried: _Stamp | None = None
        self._seen: _Stamp | None = None
        _WATCHED.add(self)

    def get(self, again: bool = False) -> Value:
        """Return the value of the files as they are now; with `again`, read them even if they look unchanged.

        Raises OSError or ValueError, whatever `read` raised, as long as there has been no good value.
        """
        stamp = self._stamp()
        if stamp is None or stamp != self._tried or again or self._value is None:
            self._tried = stamp
            try:
                self._value = self._read()
                self.trouble = ""
            except (OSError, ValueError) as error:
                if isinstance(error, OSError):
                    self._tried = None  # a right to read may come back without a change of the file
                if self._value is None:
                    raise
                self._note(reason_of(error))
        return self._value

    @property
    def value(self) -> Value:
        """The value that the last `get` returned, without a look at the files. At least one `get` comes first."""
        assert self._value is not None
        return self._value

    def settled(self) -> bool:
        """Return whether the files changed since they were read and stood still since the last call of this method.

        For files that are written in place: one that is half written may be valid.
        """
        before, self._seen = self._seen, self._stamp()
        return self._seen == before and self._seen != self._tried

    def _stamp(self) -> _Stamp | None:
        try:
            found = [os.stat(path) for path in self._paths]  # noqa: PTH116 (pathlib costs an agent 0.3 MiB)
        except OSError:
            return None
        return tuple((one.st_dev, one.st_ino, one.st_size, one.st_mtime_ns) for one in found)

    def _note(self, trouble: str) -> None:
        if trouble != self.trouble:
            self.trouble = trouble
            _LOG.warning("%s", self.remark)

    @property
    def remark(self) -> str:
        """A sentence on the files that cannot be used as they are now."""
        return f"{' with '.join(dict.fromkeys(self._paths))}: {self.trouble}; what was read before stays in force"


_WATCHED: WeakSet[WatchedFile[Any]] = WeakSet()


def bad_files() -> list[str]:
    """Return a sentence for each watched file of this process that could not be used when it was last looked at."""
    return sorted(file.remark for file in _WATCHED if file.trouble)


def read_file(path: str, limit: int) -> bytes:
    """Return the bytes of a file. Raises OSError, and ValueError for more than `limit` bytes."""
    with open(path, "rb") as file:  # noqa: PTH123 (pathlib costs an agent 0.3 MiB)
        data = file.read(limit + 1)
    if len(data) > limit:
        size = f"{limit >> 20} MiB" if limit >> 20 else f"{limit} bytes"
        raise ValueError(f"it is larger than {size}")
    return data


def token_file(path: str) -> WatchedFile[str]:
    """Return a watched file whose value is its first word, a bearer token to show."""

    def read() -> str:
        words = read_file(path, _TOKEN_LIMIT).split()
        if not words or not words[0].isascii():
            raise ValueError("it holds no token")
        return words[0].decode("ascii")

    return WatchedFile(read, path)


def reason_of(error: OSError | ValueError) -> str:
    """Return why a file cannot be used, as a clause that follows its name."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
