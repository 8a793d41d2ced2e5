"""The TLS context towards the API server, made again when its CA or the client certificate changes."""

from __future__ import annotations

import os
import ssl

from kubesonar.kube.auth.credential_file import CredentialsError, ReadBytes
from kubesonar.net.http.ca_contexts import ca_context, refuse_password, system_context
from kubesonar.net.watched_file import reason_of


class Tls:
    """Makes contexts that trust the CAs that `authority` reads (None: the system's), or with `insecure` anybody."""

    def __init__(self, authority: ReadBytes | None = None, *, insecure: bool = False) -> None:
        self.insecure = insecure
        self._authority = authority
        self._made_of: tuple[bytes, bytes] | None = None
        self._context: ssl.SSLContext | None = None

    def context(self, pair: bytes = b"") -> ssl.SSLContext:
        """Return the context that shows the certificate and key in `pair` (PEM), if any.

        A CA or a pair that turns bad while in use leaves the last good context in force. Raises CredentialsError.
        """
        parts = (self._authority() if self._authority else b"", pair)
        if self._context is not None and parts == self._made_of:
            return self._context
        try:
            context = self._make(*parts)
        except CredentialsError:
            if self._context is None:
                raise
        else:
            self._context = context
        self._made_of = parts
        return self._context

    def _make(self, authority: bytes, pair: bytes) -> ssl.SSLContext:
        context = self._trusting(authority)
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        if pair:
            _load_pair(context, pair)
        return context

    def _trusting(self, authority: bytes) -> ssl.SSLContext:
        if self._authority is None:
            return system_context()
        try:
            return ca_context(authority, "the API server's CA certificates")
        except ValueError as error:
            raise CredentialsError(f"the API server's CA certificates cannot be used: {error}") from None


def _load_pair(context: ssl.SSLContext, pair: bytes) -> None:
    """Load a certificate with its key by a file in memory: OpenSSL reads files only, and no key may reach a disk."""
    number = os.memfd_create("pair", os.MFD_CLOEXEC)
    try:
        with open(number, "wb", closefd=False) as file:
            file.write(pair)
        context.load_cert_chain(f"/proc/self/fd/{number}", password=refuse_password)
    except (ssl.SSLError, OSError, ValueError) as error:
        raise CredentialsError(f"the client certificate and its key cannot be used: {reason_of(error)}") from None
    finally:
        os.close(number)
