"""Terms of single HTTP checks: a token that the server may see, and how long a TLS session may be resumed."""

from __future__ import annotations

import ssl
from collections.abc import Callable

import msgspec

from kubesonar.core.address import is_literal, packed_address
from kubesonar.model import Check
from kubesonar.net.http.origin import Origin

REFUSED = frozenset({401, 403})
"""Statuses after which a token is shown: the client is not known, or not allowed (RFC 9110, sections 15.5.2 and
15.5.4)."""


class Bearer(msgspec.Struct, frozen=True):
    """A token for the server at `address` (an IP literal, or a name that is looked up) and `port`, whose certificate
    the CAs in the file `trust` have signed. `token` reads it, each time anew because it rotates; raises `Failed`."""

    address: str
    port: int
    trust: str
    token: Callable[[], str]


class Terms(msgspec.Struct, frozen=True):
    """Terms of one check. The token of `bearer` is shown after a refusal only; `full` is the time (s) for which a TLS
    session is resumed before the next full handshake, 0: not at all."""

    bearer: Bearer | None = None
    full: float = 0.0


def withheld(bearer: Bearer, check: Check, origin: Origin) -> str:
    """Return why the token must not be shown to the server at `origin`, whose host is the address that the look-up of
    `Check.address` gave; empty where it may be."""
    context = origin.context
    if not origin.secure or context is None:
        return "the connection is not TLS"
    if context.verify_mode is not ssl.CERT_REQUIRED or not context.check_hostname:
        return "the server's certificate is not verified"
    if not check.trust or check.trust != bearer.trust:
        return "the certificate is not verified by the cluster's CA"
    if origin.port != bearer.port or not (_same(origin.host, bearer.address) or check.address == bearer.address):
        return f"{origin.host} port {origin.port} is not the API server's own address"
    return ""


def _same(one: str, other: str) -> bool:
    return is_literal(one) and is_literal(other) and packed_address(one) == packed_address(other)
