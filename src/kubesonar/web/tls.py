"""Server certificates from files that are replaced while the server runs."""

from __future__ import annotations

import ssl
import time
from functools import partial

from kubesonar.config import ConfigError
from kubesonar.net.http.ca_contexts import refuse_password
from kubesonar.net.watched_file import WatchedFile, reason_of
from kubesonar.web.options import ListenOptions

_CHECK_PERIOD = 1.0
"""Least seconds between two looks at the files. Longer: a changed certificate is used later; shorter: every handshake
costs two stats."""


class Certificate:
    """TLS context whose handshakes use the present files: a handshake looks, at most once a second, whether they
    changed. While the files cannot be used, the last certificate stays in force; each new reason is logged once."""

    def __init__(self, options: ListenOptions) -> None:
        """Raises ConfigError where the files cannot be used."""
        pair = (options.certificate_file, options.key_file or options.certificate_file)
        self._file = WatchedFile(partial(_loaded, *pair), *pair)
        self._looked = time.monotonic()
        try:
            self.context = self._file.get()
        except (OSError, ValueError) as error:
            raise ConfigError(f"certificate {' with key '.join(pair)} cannot be used: {reason_of(error)}") from error
        self.context.sni_callback = self._hello

    def _hello(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        """Called by OpenSSL in every handshake, with or without a server name in it."""
        if time.monotonic() - self._looked >= _CHECK_PERIOD:
            self._looked = time.monotonic()
            self._file.get()
        if self._file.value is not context:
            connection.context = self._file.value


def _loaded(certificate: str, key: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key, password=refuse_password)
    context.set_alpn_protocols(["http/1.1"])
    return context
