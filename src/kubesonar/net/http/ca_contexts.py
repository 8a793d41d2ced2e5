"""One TLS context for each file of CA certificates, shared by all who trust it."""

from __future__ import annotations

import ssl
from functools import partial

from kubesonar.model import Fault
from kubesonar.net.deadline import Failed
from kubesonar.net.watched_file import WatchedFile, reason_of

_FILES = 64


class Trust:
    """`context(path)` trusts the CAs in that file, and is made again when the file changes; an empty path trusts the
    system's. A file that becomes unreadable while in use leaves the last good context in force."""

    def __init__(self) -> None:
        self._known: dict[str, WatchedFile[ssl.SSLContext]] = {}

    def context(self, path: str) -> ssl.SSLContext:
        """Raises `Failed` with `Fault.LOCAL` where the file cannot be used: that is no fault of a target's."""
        file = self._known.get(path)
        if file is None:
            if len(self._known) >= _FILES:
                self._known.pop(next(iter(self._known)))
            file = self._known[path] = WatchedFile(partial(trusting, path), *filter(None, [path]))
        try:
            return file.get()
        except (OSError, ValueError) as error:
            raise Failed(Fault.LOCAL, f"the CA file {path} cannot be used: {reason_of(error)}") from None


def trusting(path: str = "", data: str = "") -> ssl.SSLContext:
    """A client's context that trusts the CAs in the file at `path` or in the PEM text `data`; with neither, those of
    the system. RFC 5280's finer rules are not insisted on, as Python does from 3.13 on and Go never did: the CAs that
    cluster installers make often lack an authority key identifier. Raises OSError and ValueError."""
    context = ssl.create_default_context(cafile=path or None, cadata=data or None)
    context.verify_flags &= ~ssl.VerifyFlags.VERIFY_X509_STRICT
    return context
