"""Keys that members sign with, from a mounted file that may change at any time."""

from __future__ import annotations

from base64 import b64decode
from contextlib import suppress
from pathlib import Path

from kubesonar.core.wire.codec import Keyring
from kubesonar.model import clip
from kubesonar.net.watched_file import file_stamp

KEY_FILE_LIMIT = 4096
"""Largest key file that is read, in bytes."""


class KeyFile:
    """A file of lines `ID KEY`, the key (16 to 32 bytes) in hex or base64; `#` begins a comment. The first key signs,
    all are accepted, so a rotation is: append the new one everywhere, then move it to the top everywhere, then remove
    the old one.

    `ring` is what is in force. `refresh` looks whether the file changed, which costs one stat; a file that is bad or
    gone leaves the keys in force as they are. The first read raises ValueError or OSError: an agent does not start
    without the keys that it was told to use."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._complaint: str | None = None
        self._mark = file_stamp(path)
        self.ring = _ring(_read(path))

    def refresh(self) -> str | None:
        """Takes over a changed file. Returns one sentence when the file has just turned bad, None otherwise."""
        complaint = self._reload()
        known, self._complaint = self._complaint, complaint
        return None if complaint == known else complaint

    def _reload(self) -> str | None:
        try:
            mark = file_stamp(self._path)
            if mark == self._mark:
                return self._complaint
            ring = _ring(_read(self._path))
        except OSError as error:
            return clip(f"keys: {self._path} cannot be read ({error.strerror}); the keys in force stay", 400)
        except ValueError as error:
            return clip(f"keys: {self._path}: {error}; the keys in force stay", 400)
        self._mark, self.ring = mark, ring
        return None


def read_keys(data: bytes) -> Keyring:
    """The keys of a key file's contents. Raises ValueError, which names the line and never repeats a key."""
    return _ring(data.decode("ascii", "replace"))


def _read(path: str) -> str:
    with Path(path).open("rb") as file:
        data = file.read(KEY_FILE_LIMIT + 1)
    if len(data) > KEY_FILE_LIMIT:
        raise ValueError(f"the file is longer than {KEY_FILE_LIMIT} bytes")
    return data.decode("ascii", "replace")


def _ring(text: str) -> Keyring:
    keys: dict[int, bytes] = {}
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.partition("#")[0].split()
        if not line:
            continue
        if len(line) != 2 or not line[0].isdecimal():
            raise ValueError(f"line {number} is not of the form ID KEY, with an ID of 1 to 255")
        if int(line[0]) in keys:
            raise ValueError(f"line {number} gives key {int(line[0])} a second time")
        keys[int(line[0])] = _key(line[1], number)
    if not keys:
        raise ValueError("it holds no key, at least one is expected")
    return Keyring(keys, next(iter(keys)))


def _key(word: str, line: int) -> bytes:
    """Hex where all of it is hex digits, else base64."""
    with suppress(ValueError):
        return bytes.fromhex(word)
    try:
        return b64decode(word, validate=True)
    except ValueError:
        raise ValueError(f"line {line} has a key that is neither hex nor base64") from None
