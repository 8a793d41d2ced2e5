"""Authenticators: whether a request may read what a listener serves."""

from __future__ import annotations

import hmac
from functools import partial
from typing import Protocol

from kubesonar.config import ConfigError
from kubesonar.net.watched_file import WatchedFile, read_file, reason_of
from kubesonar.web.handler import Request

_LIMIT = 4096
"""Bytes of a token file that are read."""


class Authenticator(Protocol):
    """The protocol of authenticators: whether a request to a path that is not open is answered."""

    async def permits(self, request: Request) -> bool:
        """Whether the request proves that its client may ask."""
        ...


class Anonymous:
    """Permits every request."""

    async def permits(self, request: Request) -> bool:
        """Return True."""
        return True


class BearerToken:
    """Permits requests with `Authorization: Bearer TOKEN` (RFC 6750, section 2.1) whose token is a line of a file, or,
    where `cookie` is the name of one, whose cookie of that name is what `cookie_value` makes of such a token. The
    file is read again when it changes; two lines let a token be replaced without a gap. While the file cannot be read
    or is empty, the last tokens stay in force; each new reason is logged once."""

    def __init__(self, path: str, *, cookie: bytes = b"") -> None:
        """Raises ConfigError where the file holds no token."""
        self._cookie = cookie
        self._file = WatchedFile(partial(_tokens, path), path)
        try:
            self._file.get()
        except (OSError, ValueError) as error:
            raise ConfigError(f"token file {path} cannot be used: {reason_of(error)}") from error

    async def permits(self, request: Request) -> bool:
        """Return whether the header, or else the cookie, holds a token of the file."""
        token = bearer_token(request)
        if token is not None:
            return self.knows(token)
        return bool(self._cookie) and self.knows(_token_of(request.cookie(self._cookie)))

    def knows(self, token: bytes) -> bool:
        """Compare with every token, in a time that does not depend on how much of one is right."""
        matches = [hmac.compare_digest(token, known) for known in self._file.get()]
        return any(matches)


def bearer_token(request: Request) -> bytes | None:
    """Return the bearer token of a request (RFC 6750, section 2.1), None where it shows none."""
    scheme, _, token = request.first(b"authorization").partition(b" ")
    return token.strip() if scheme.lower() == b"bearer" else None


def cookie_value(token: bytes) -> bytes:
    """Return a token in hex: a cookie's value takes fewer characters than a token may have (RFC 6265, section
    4.1.1)."""
    return token.hex().encode()


def _token_of(value: bytes) -> bytes:
    """Return the token in a cookie's value, empty where it is none."""
    try:
        return bytes.fromhex(value.decode("latin-1"))
    except ValueError:
        return b""


def _tokens(path: str) -> list[bytes]:
    tokens = [line.strip() for line in read_file(path, _LIMIT).splitlines() if line.strip()]
    if not tokens:
        raise ValueError("it holds no token")
    return tokens
