"""A DNS server to ask and the reply that comes back, the same for UDP and TCP. What a reply is worth is not known here:
`core.dns.classify` judges it."""

from __future__ import annotations

import msgspec

from kubesonar.model import Fault, StampSource

WIRE_LIMIT = 65535
"""Longest DNS message, in bytes (RFC 1035, section 4.2.2)."""


class DnsServer(msgspec.Struct, frozen=True):
    """The server to ask: an IP literal and a port. Not a name, whose resolution is not under test."""

    address: str
    port: int


class DnsReply(msgspec.Struct, frozen=True):
    """The outcome of one question. `wire` is the message, None where none came in time and `fault` says why. `at` is
    when the question left (wall clock), `took` the time (s) to the answer by `clock`, `connected` the part of it that
    connecting took. `strays` counts answers with another id or from elsewhere, which were passed over; `elsewhere` is
    the address of the last one with the right id, which a wrong translation of addresses sends; `late` counts answers
    to earlier questions that arrived after their deadline."""

    at: float
    took: float
    wire: bytes | None = None
    clock: StampSource = StampSource.USER
    connected: float = 0.0
    source_port: int = 0
    fault: Fault | None = None
    detail: str = ""
    strays: int = 0
    late: int = 0
    elsewhere: str = ""
