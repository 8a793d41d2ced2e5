"""Authenticators: whether a request may read what a listener serves."""

from __future__ import annotations

import hmac
import logging
from typing import Protocol

from kubesonar.config import ConfigError
from kubesonar.net.watched_file import file_stamp
from kubesonar.web.handler import Request

_LOG = logging.getLogger("kubesonar.web")
_LIMIT = 4096
"""Bytes of a token file that are read."""


class Authenticator(Protocol):
    """Decides on requests to paths that are not open."""

    async def permits(self, request: Request) -> bool:
        """Whether the request proves that its client may ask."""
        ...


class Anonymous:
    """Permits every request."""

    async def permits(self, request: Request) -> bool:
        """Returns True."""
        return True


class BearerToken:
    """Permits requests with `Authorization: Bearer TOKEN` (RFC 6750, section 2.1) whose token is a line of a file. The
    file is read again when it changes; two lines let a token be replaced without a gap. While the file cannot be read
    or is empty, the last tokens stay in force; each new reason is logged once."""

    def __init__(self, path: str) -> None:
        """Raises ConfigError where the file holds no token."""
        self._path = path
        self._complaint = ""
        try:
            self._mark = file_stamp(self._path)
            self._tokens = self._read()
        except (OSError, ValueError) as error:
            raise ConfigError(f"token file {path} cannot be used: {_reason(error)}") from error

    async def permits(self, request: Request) -> bool:
        """Compares with every token, in a time that does not depend on how much of one is right."""
        self._refresh()
        scheme, _, token = request.first(b"authorization").partition(b" ")
        matches = [hmac.compare_digest(token.strip(), known) for known in self._tokens]
        return scheme.lower() == b"bearer" and any(matches)

    def _refresh(self) -> None:
        try:
            mark = file_stamp(self._path)
            if mark == self._mark:
                return
            self._tokens = self._read()
            self._mark, self._complaint = mark, ""
        except (OSError, ValueError) as error:
            before, self._complaint = self._complaint, _reason(error)
            if self._complaint != before:
                _LOG.warning("token file %s: %s; the tokens in force stay", self._path, self._complaint)

    def _read(self) -> list[bytes]:
        with open(self._path, "rb") as file:  # noqa: PTH123
            tokens = [line.strip() for line in file.read(_LIMIT).splitlines() if line.strip()]
        if not tokens:
            raise ValueError("it holds no token")
        return tokens


def _reason(error: OSError | ValueError) -> str:
    return str(error.strerror or error) if isinstance(error, OSError) else str(error)
