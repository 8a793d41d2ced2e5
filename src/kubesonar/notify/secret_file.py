"""Secrets from mounted files, that may change at any time."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Generic, TypeVar

from kubesonar.config import ConfigError
from kubesonar.net.watched_file import file_stamp

_LOG = logging.getLogger("kubesonar.notify")
_LIMIT = 16_384

Value = TypeVar("Value")


class SecretFile(Generic[Value]):
    """A file of secrets, one a line, each understood by `read` (ValueError: not one of them). It is read again when it
    changes; one that turns bad leaves what is in force as it is, and each new reason is logged once."""

    def __init__(self, key: str, path: str, read: Callable[[str], Value]) -> None:
        """Raises ConfigError, naming the option `key`, where the file holds no usable secret."""
        self._path = path
        self._understand = read
        self._complaint = ""
        try:
            self._mark = file_stamp(self._path)
            self._values = self._read()
        except (OSError, ValueError) as error:
            raise ConfigError(f"{key}: {path} cannot be used: {_reason(error)}") from error

    @property
    def values(self) -> tuple[Value, ...]:
        """Those in force, at least one."""
        try:
            mark = file_stamp(self._path)
            if mark != self._mark:
                self._values = self._read()
                self._mark, self._complaint = mark, ""
        except (OSError, ValueError) as error:
            before, self._complaint = self._complaint, _reason(error)
            if self._complaint != before:
                _LOG.warning("%s: %s; what was read before stays in force", self._path, self._complaint)
        return self._values

    def _read(self) -> tuple[Value, ...]:
        with open(self._path, "rb") as file:  # noqa: PTH123
            text = file.read(_LIMIT).decode("ascii", "replace")
        lines = [line.strip() for line in text.splitlines()]
        values = tuple(self._understand(line) for line in lines if line and not line.startswith("#"))
        if not values:
            raise ValueError("it holds no secret, at least one is expected")
        return values


def _reason(error: OSError | ValueError) -> str:
    return str(error.strerror or error) if isinstance(error, OSError) else str(error)
