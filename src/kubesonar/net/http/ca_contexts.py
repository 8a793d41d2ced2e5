"""TLS contexts of clients, one for each file of CA certificates, and the refusal of encrypted keys."""

from __future__ import annotations

import ssl
from functools import partial

from kubesonar.model import Fault
from kubesonar.net.deadline import Failed
from kubesonar.net.watched_file import WatchedFile, reason_of

_FILES = 64
"""Contexts kept. Lower: those of many files are made again for every check; higher: more memory."""


class CaContexts:
    """Contexts by file. One is made again when its file changes; while the file cannot be read the last good one
    stays."""

    def __init__(self) -> None:
        self._known: dict[str, WatchedFile[ssl.SSLContext]] = {}

    def context(self, path: str) -> ssl.SSLContext:
        """Return the context that trusts the CAs in the file at `path`, those of the system for an empty one. Raises
        `Failed` with `Fault.LOCAL` where the file cannot be used: that is no fault of a target."""
        file = self._known.get(path)
        if file is None:
            if len(self._known) >= _FILES:
                self._known.pop(next(iter(self._known)))
            file = self._known[path] = WatchedFile(partial(ca_context, path), *filter(None, [path]))
        try:
            return file.get()
        except (OSError, ValueError) as error:
            raise Failed(Fault.LOCAL, f"the CA file {path} cannot be used: {reason_of(error)}") from None


def ca_context(path: str = "", data: str = "") -> ssl.SSLContext:
    """Return a client's context that trusts the CAs in the file at `path` or in the PEM text `data`; with neither,
    those of the system. Raises OSError and ValueError.

    VERIFY_X509_STRICT, which Python sets from 3.13 on and Go never did, is switched off: the CAs that cluster
    installers make often lack an authority key identifier."""
    context = ssl.create_default_context(cafile=path or None, cadata=data or None)
    context.verify_flags &= ~ssl.VerifyFlags.VERIFY_X509_STRICT
    return context


def refuse_password() -> str:
    """Raise ValueError where OpenSSL would ask the terminal for the password of an encrypted key."""
    raise ValueError("the key is encrypted, which is not supported")
