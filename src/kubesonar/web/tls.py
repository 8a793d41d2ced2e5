"""Server certificates from files that are replaced while the server runs."""

from __future__ import annotations

import logging
import ssl
import time

from kubesonar.config import ConfigError
from kubesonar.net.watched_file import Stamp, file_stamp
from kubesonar.web.options import ListenOptions

_LOG = logging.getLogger("kubesonar.web")
_CHECK_PERIOD = 1.0
"""Least seconds between two looks at the files. Longer: a changed certificate is used later; shorter: every handshake
costs two stats."""


class Certificate:
    """TLS context whose handshakes use the present files: a handshake looks, at most once a second, whether they
    changed. While the files cannot be used, the last certificate stays in force; each new reason is logged once."""

    def __init__(self, options: ListenOptions) -> None:
        """Raises ConfigError where the files cannot be used."""
        self._files = (options.certificate_file, options.key_file or options.certificate_file)
        self._complaint = ""
        self._looked = time.monotonic()
        try:
            self._mark = self._marks()
            self.context = self._loaded()
        except (OSError, ssl.SSLError, ValueError) as error:
            raise ConfigError(f"certificate {' with key '.join(self._files)} cannot be used: {error}") from error
        self._current = self.context
        self.context.sni_callback = self._hello

    def _hello(self, connection: ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        """Called by OpenSSL in every handshake, with or without a server name in it."""
        if time.monotonic() - self._looked >= _CHECK_PERIOD:
            self._looked = time.monotonic()
            self._refresh()
        if self._current is not context:
            connection.context = self._current

    def _refresh(self) -> None:
        try:
            mark = self._marks()
            if mark == self._mark:
                return
            self._current = self._loaded()
        except (OSError, ssl.SSLError, ValueError) as error:
            before, self._complaint = self._complaint, str(error)
            if self._complaint != before:
                _LOG.warning("certificate %s: %s; the one in force stays", self._files[0], error)
        else:
            self._mark, self._complaint = mark, ""
            _LOG.info("certificate %s was read again", self._files[0])

    def _marks(self) -> tuple[Stamp, ...]:
        return tuple(map(file_stamp, self._files))

    def _loaded(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(*self._files, password=_no_password)
        context.set_alpn_protocols(["http/1.1"])
        return context


def _no_password() -> str:
    """Refuses an encrypted key; without this OpenSSL would ask for its password at the terminal."""
    raise ValueError("the key is encrypted, which is not supported")
