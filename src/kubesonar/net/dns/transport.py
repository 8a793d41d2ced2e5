"""Carrying a question to a DNS server and its answer back, by UDP or TCP. What the answer is worth is not known here:
the judge (`core.dns.judge`) is the same for every transport."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Protocol

import msgspec

from kubesonar.core.address import family_of, packed_address
from kubesonar.core.dns.message import encode_question
from kubesonar.model import Fault, StampSource
from kubesonar.net.address_families import ADDRESS_FAMILY

if TYPE_CHECKING:
    from kubesonar.core.dns.message import Question

WIRE_LIMIT = 65535
"""Longest DNS message, in bytes (RFC 1035, section 4.2.2)."""


class DnsReply(msgspec.Struct, frozen=True):
    """What came back. `wire` is None where nothing did in time, then `fault` says why. `at` is when the question left
    (wall clock), `took` the time to the answer (s) by `clock`, `connected` the part of it that connecting took.
    `strays` are answers with another id or from elsewhere that were passed over, `late` those to earlier
    questions that arrived after their deadline."""

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


class DnsTransport(Protocol):
    """A way to one server. `exchange` returns by its deadline and raises only for a bug of ours or when cancelled."""

    async def exchange(self, wire: bytes) -> DnsReply: ...


async def ask_server(transport: DnsTransport, question: Question) -> DnsReply:
    """Asks `question` by this transport. Raises ValueError where its name is no domain name."""
    return await transport.exchange(encode_question(question))


class DnsServer(msgspec.Struct, frozen=True):
    """Where to ask: an IP literal and a port. Never a name, whose resolution would block and is not under test."""

    address: str
    port: int

    @property
    def family(self) -> int:
        """4 or 6."""
        return family_of(self.address)

    def packed(self) -> bytes:
        """The address in network order, without the zone of a link-local one. Raises OSError for anything else."""
        try:
            return packed_address(self.address)
        except ValueError as error:
            raise OSError(str(error)) from None

    def socket(self, kind: socket.SocketKind) -> socket.socket:
        """A non-blocking socket of this server's family. Raises OSError."""
        made = socket.socket(ADDRESS_FAMILY[self.family], kind)
        made.setblocking(False)
        return made


def silence(timeout: float, elapsed: float) -> tuple[Fault, str]:
    """What no answer means: a timeout, or, where our own deadline fired so late that silence proves nothing, ours."""
    late = elapsed - timeout
    if late > max(0.1, timeout / 4):
        return Fault.LOCAL, f"event loop was {late * 1000:.0f} ms late"
    return Fault.TIMEOUT, f"no answer within {timeout:g} s"
