"""Bytes of a token, a certificate or a key, from a file that rotates."""

from __future__ import annotations

from functools import partial
from typing import Protocol

from kubesonar.net.watched_file import WatchedFile, read_file, reason_of

CREDENTIAL_LIMIT = 1 << 20
"""Largest file read (bytes). CA bundles are the largest: a system's has about 200 KiB. A larger file is refused."""


class CredentialsError(Exception):
    """Credentials that cannot be used. The text is one sentence."""


class ReadBytes(Protocol):
    """Returns the bytes in force; with `again` it does not trust that the file looks unchanged. Raises
    CredentialsError."""

    def __call__(self, again: bool = False) -> bytes: ...


def credential_file(path: str) -> ReadBytes:
    """Return a reader of the file at `path`, which reads it again when it changes.

    A file that cannot be read any more leaves the bytes read last in force; only the first read raises.
    """
    file = WatchedFile(partial(read_file, path, CREDENTIAL_LIMIT), path)

    def read(again: bool = False) -> bytes:
        try:
            return file.get(again)
        except (OSError, ValueError) as error:
            raise CredentialsError(f"the file {path} cannot be read: {reason_of(error)}") from None

    return read


def fixed_bytes(data: bytes) -> ReadBytes:
    """Return a reader of bytes that never change, such as those written into a kubeconfig."""
    return lambda again=False: data
