"""What credentials are made of: bytes given, or in a file that is replaced as it rotates."""

from __future__ import annotations

from kubesonar.net.watched_file import Stamp, file_stamp

CREDENTIAL_LIMIT = 1 << 20
"""Largest file read, in bytes: bundles of CA certificates are the largest."""


class CredentialsError(Exception):
    """Credentials that cannot be used; one sentence."""


class Material:
    """Bytes of a file, read again when it changes, which a `stat` tells (a projected volume swaps a symbolic link, so
    the inode changes). A file that cannot be read any more leaves what was read last in force."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._stamp: Stamp | None = None
        self._data = b""

    def read(self, again: bool = False) -> bytes:
        """The bytes as they are now; `again` reads whatever `stat` says. Raises CredentialsError at the first time."""
        try:
            mark = file_stamp(self._path)
            if again or mark != self._stamp:
                self._data = _read(self._path)
                self._stamp = mark
        except OSError as error:
            if self._stamp is None:
                raise CredentialsError(f"the file {self._path} cannot be read: {error.strerror or error}") from None
        return self._data


class CredentialData(Material):
    """Bytes that never change."""

    def __init__(self, data: bytes) -> None:
        super().__init__("")
        self._data = data

    def read(self, again: bool = False) -> bytes:
        """The bytes."""
        return self._data


def _read(path: str) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123
        data = file.read(CREDENTIAL_LIMIT + 1)
    if len(data) > CREDENTIAL_LIMIT:
        raise OSError(None, f"it is larger than {CREDENTIAL_LIMIT >> 20} MiB")
    return data
