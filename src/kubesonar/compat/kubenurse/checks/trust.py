"""The TLS context of all checks: trusts the system's CAs, the cluster's, and the operator's own."""

from __future__ import annotations

import logging
import ssl

from kubesonar.kube.auth.credential_file import CredentialsError, credential_file
from kubesonar.net.http.ca_contexts import load_cas, system_context
from kubesonar.runtime.logs import Changes

_LOG = logging.getLogger("kubesonar.kubenurse")


class TrustContexts:
    """The TLS context that all checks share, made again only when a file of CAs changes. A file, or a
    block of one, that cannot be used is logged and left out. With `insecure` nothing is verified, so nothing is
    loaded."""

    def __init__(self, files: tuple[str, ...], *, insecure: bool) -> None:
        self._files = {path: credential_file(path) for path in files}
        self._insecure = insecure
        self._changes = Changes(_LOG)
        self._parts: tuple[bytes, ...] | None = None
        self._context: ssl.SSLContext | None = None

    def context(self) -> ssl.SSLContext:
        """Return the context for the present files."""
        parts = () if self._insecure else tuple(self._read(path) for path in self._files)
        if self._context is None or parts != self._parts:
            self._parts = parts
            self._context = _blind() if self._insecure else self._trusting(parts)
        return self._context

    def _read(self, path: str) -> bytes:
        try:
            return self._files[path]()
        except CredentialsError as error:
            self._changes.note(f"CA file {path}", f"not trusted: {error}")
            return b""

    def _trusting(self, parts: tuple[bytes, ...]) -> ssl.SSLContext:
        context = system_context()
        for path, part in zip(self._files, parts, strict=True):
            if part:
                try:
                    load_cas(context, part, path)
                except ValueError as error:
                    self._changes.note(f"CA file {path}", f"not trusted: {error}")
                else:
                    self._changes.note(f"CA file {path}", "")
        return context


def _blind() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
