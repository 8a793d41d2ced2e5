"""The keys that members sign with, from a mounted file that may change at any time."""

from __future__ import annotations

from base64 import b64decode
from contextlib import suppress

from kubesonar.core.integers import read_integer
from kubesonar.core.wire.keyring import LAST_KEY_ID, Keyring
from kubesonar.net.watched_file import WatchedFile, read_file

KEY_FILE_LIMIT = 4096
"""Largest key file that is read (bytes); a larger one is refused."""


def watch_key_file(path: str) -> WatchedFile[Keyring]:
    """Return the watched key file at `path`: lines `ID KEY`, the key (16 to 32 bytes) in hex or base64; `#` begins a
    comment.

    The first key signs and all are accepted. So a rotation appends the new key everywhere, then moves it to the top
    everywhere, then removes the old one. Raises ValueError or OSError where the file cannot be used now: an agent does
    not start without the keys that it was told to use.
    """
    file = WatchedFile(lambda: read_keys(read_file(path, KEY_FILE_LIMIT)), path)
    file.get()
    return file


def read_keys(data: bytes) -> Keyring:
    """Return the keys in a key file's bytes. Raises ValueError, which names the line and never repeats a key."""
    keys: dict[int, bytes] = {}
    for number, raw in enumerate(data.decode("ascii", "replace").splitlines(), 1):
        line = raw.partition("#")[0].split()
        if not line:
            continue
        key_id = read_integer(line[0], 1, LAST_KEY_ID)
        if len(line) != 2 or key_id is None:
            raise ValueError(f"line {number} is not of the form ID KEY, with an ID of 1 to {LAST_KEY_ID}")
        if key_id in keys:
            raise ValueError(f"line {number} gives key {key_id} a second time")
        keys[key_id] = _key(line[1], number)
    if not keys:
        raise ValueError("it holds no key, at least one is expected")
    return Keyring(keys, next(iter(keys)))


def _key(word: str, line: int) -> bytes:
    """Return a key in hex where all of it is hex digits, else in base64."""
    with suppress(ValueError):
        return bytes.fromhex(word)
    try:
        return b64decode(word, validate=True)
    except ValueError:
        raise ValueError(f"line {line} has a key that is neither hex nor base64") from None
