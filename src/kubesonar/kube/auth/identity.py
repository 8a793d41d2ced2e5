"""The identity that this program shows to the API server: a bearer token, a client certificate, both or neither."""

from __future__ import annotations

import re
from typing import Protocol

import msgspec

from kubesonar.kube.auth.credential_file import CredentialsError, ReadBytes

_TOKEN_LIMIT = 32_768
"""Longest token (characters): more would not fit into the headers that servers take."""

_TOKEN = re.compile(r"[!-~]+", re.ASCII)


class ClientIdentity(msgspec.Struct, frozen=True):
    """A bearer token, and a certificate with its key (PEM, one text); either may be empty."""

    token: str = ""
    pair: bytes = b""


class IdentitySource(Protocol):
    """Gives the identity in force; with `again` the one before was refused. Raises CredentialsError."""

    async def identity(self, again: bool = False) -> ClientIdentity: ...


class FileIdentity:
    """An identity made of a token and of a certificate with its key, each read by its reader (None: there is none)."""

    def __init__(
        self, token: ReadBytes | None = None, certificate: ReadBytes | None = None, key: ReadBytes | None = None
    ) -> None:
        self._token = token
        self._pair = [part for part in (certificate, key) if part is not None]

    async def identity(self, again: bool = False) -> ClientIdentity:
        """See `IdentitySource`."""
        return self.read(again)

    def read(self, again: bool = False) -> ClientIdentity:
        """Return the identity as the files are now. Raises CredentialsError."""
        token = checked_token(self._token(again)) if self._token else ""
        return ClientIdentity(token, b"\n".join(part(again) for part in self._pair))


def checked_token(data: bytes) -> str:
    """Return a token that can stand in a header (RFC 6750, section 2.1).

    Raises CredentialsError, which does not repeat the token.
    """
    token = data.decode("ascii", "replace").strip()
    if not token:
        raise CredentialsError("the token is empty")
    if len(token) > _TOKEN_LIMIT or not _TOKEN.fullmatch(token):
        raise CredentialsError(f"the token is not a word of ASCII characters, {_TOKEN_LIMIT} at most")
    return token
