"""Receivers' secrets from mounted files, which may be replaced at any time."""

from __future__ import annotations

from collections.abc import Callable

from kubesonar.config import ConfigError
from kubesonar.net.watched_file import Value, WatchedFile, read_file, reason_of

_LIMIT = 16_384
"""Largest file of secrets that is read (bytes)."""


def secret_file(key: str, path: str, read: Callable[[str], Value]) -> WatchedFile[tuple[Value, ...]]:
    """Return a watched file of secrets, one a line, each of which `read` understands (else it raises ValueError).

    Empty lines and those that begin with "#" are passed over. Raises ConfigError, naming the option `key`, where the
    file holds no usable secret.
    """

    def read_lines() -> tuple[Value, ...]:
        lines = [line.strip() for line in read_file(path, _LIMIT).decode("ascii", "replace").splitlines()]
        values = tuple(read(line) for line in lines if line and not line.startswith("#"))
        if not values:
            raise ValueError("it holds no secret, at least one is expected")
        return values

    file = WatchedFile(read_lines, path)
    try:
        file.get()
    except (OSError, ValueError) as error:
        raise ConfigError(f"{key}: {path} cannot be used: {reason_of(error)}") from error
    return file
