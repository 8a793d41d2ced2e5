"""Who asks."""

from __future__ import annotations

import hmac
import logging
from typing import Protocol

import msgspec

from kubesonar.config import ConfigError
from kubesonar.net.watched_file import file_stamp
from kubesonar.web.asgi import Scope

_LOG = logging.getLogger("kubesonar.web")
_LIMIT = 4096


class Identity(msgspec.Struct, frozen=True):
    """Somebody who may ask; `name` is for logs."""

    name: str


class Authenticator(Protocol):
    """Tells who a request comes from."""

    async def authenticate(self, scope: Scope) -> Identity | None:
        """None where the request does not prove who it comes from."""
        ...


class Anonymous:
    """Everybody may ask."""

    async def authenticate(self, scope: Scope) -> Identity | None:
        """Always somebody."""
        return Identity("anonymous")


class BearerToken:
    """`Authorization: Bearer TOKEN` (RFC 6750, section 2.1), the token being one of the lines of a file, which is read
    again when it changes; two lines let a token be exchanged without a gap. A file that turns unreadable or empty
    leaves the tokens in force as they are, and each new reason is logged once."""

    def __init__(self, path: str) -> None:
        """Raises ConfigError where the file holds no token."""
        self._path = path
        self._complaint = ""
        try:
            self._mark = file_stamp(self._path)
            self._tokens = self._read()
        except (OSError, ValueError) as error:
            raise ConfigError(f"token file {path} cannot be used: {_reason(error)}") from error

    async def authenticate(self, scope: Scope) -> Identity | None:
        """Compares in a time that does not depend on the token."""
        self._refresh()
        given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        scheme, _, token = given.partition(b" ")
        matches = [hmac.compare_digest(token.strip(), known) for known in self._tokens]
        return Identity("bearer") if scheme.lower() == b"bearer" and any(matches) else None

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
