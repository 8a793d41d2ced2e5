"""TLS contexts of clients, one for each file of CA certificates, and the refusal of encrypted keys."""

from __future__ import annotations

import logging
import ssl
from binascii import a2b_base64
from collections.abc import Iterator
from functools import partial

from kubesonar.model import Fault
from kubesonar.net.deadline import Failed
from kubesonar.net.watched_file import WatchedFile, read_file, reason_of

_LOG = logging.getLogger("kubesonar.files")

_FILES = 64
"""Contexts kept. Lower: those of many files are made again for every check; higher: more memory."""

_BUNDLE = 1 << 20
"""Largest bundle of CA certificates, in bytes: a system's has about 200 KiB. A larger file is refused."""

_WARNINGS = 10
"""Broken blocks of one bundle that are logged one by one. Lower: some are not named; higher: a file that is none at all
floods the log."""

_BEGIN, _END, _DASHES = b"-----BEGIN ", b"-----END ", b"-----"
_TYPES = frozenset({b"CERTIFICATE", b"X509 CERTIFICATE"})
"""Types of blocks that hold a certificate (RFC 7468, section 5); keys and others in the same file are passed over."""


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
            file = self._known[path] = WatchedFile(partial(ca_file_context, path), *filter(None, [path]))
        try:
            return file.get()
        except (OSError, ValueError) as error:
            raise Failed(Fault.LOCAL, f"the CA file {path} cannot be used: {reason_of(error)}") from None


def system_context() -> ssl.SSLContext:
    """Return a client's context that trusts the system's CAs. Raises OSError."""
    return _as_go(ssl.create_default_context())


def ca_file_context(path: str) -> ssl.SSLContext:
    """Return a client's context that trusts the CAs in the file at `path`, those of the system for an empty one. Raises
    OSError and ValueError where the file cannot be used."""
    return ca_context(read_file(path, _BUNDLE), path) if path else system_context()


def ca_context(bundle: bytes, where: str) -> ssl.SSLContext:
    """Return a client's context that trusts the CAs of the PEM text `bundle` alone. Raises ValueError where none of
    them can be used; see `load_cas`."""
    context = _as_go(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    load_cas(context, bundle, where)
    return context


def load_cas(context: ssl.SSLContext, bundle: bytes, where: str) -> None:
    """Let the context trust the CAs of the PEM text `bundle` too, block by block as Go does: a broken block costs
    itself and a warning that names it and `where` it is. Raises ValueError where no block is good."""
    good, troubles = 0, list[tuple[int, str]]()
    for number, block in enumerate(_blocks(bundle), 1):
        try:
            context.load_verify_locations(cadata=_decoded(block))
            good += 1
        except (ssl.SSLError, ValueError) as error:
            troubles.append((number, _reason(error)))
    if not good:
        raise ValueError(f"none of its certificates is good: {troubles[0][1]}" if troubles else "it has no certificate")
    for number, trouble in troubles[:_WARNINGS]:
        _LOG.warning("certificate %d of %s is passed over: %s", number, where, trouble)
    if len(troubles) > _WARNINGS:
        _LOG.warning("%d more certificates of %s are passed over", len(troubles) - _WARNINGS, where)


def refuse_password() -> str:
    """Raise ValueError where OpenSSL would ask the terminal for the password of an encrypted key."""
    raise ValueError("the key is encrypted, which is not supported")


def _as_go(context: ssl.SSLContext) -> ssl.SSLContext:
    """Verify as Go does: any certificate of the bundle ends a chain, also one that another CA has signed. What Python
    sets from 3.13 on and Go never did, VERIFY_X509_STRICT, is switched off: the CAs that cluster installers make often
    lack an authority key identifier."""
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    context.verify_flags &= ~ssl.VerifyFlags.VERIFY_X509_STRICT
    return context


def _blocks(bundle: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the type of each block that should hold a certificate, and what follows up to the next block."""
    for part in bundle.split(_BEGIN)[1:]:
        kind, _, rest = part.partition(_DASHES)
        if kind in _TYPES:
            yield kind, rest


def _decoded(block: tuple[bytes, bytes]) -> bytes:
    kind, rest = block
    body, end, _ = rest.partition(_END + kind + _DASHES)
    if not end:
        raise ValueError("its end is missing")
    if not (data := a2b_base64(b"".join(body.split()), strict_mode=True)):
        raise ValueError("it is empty")
    return data


def _reason(error: ValueError | OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or str(error)).replace("_", " ").lower()
    return str(error)
