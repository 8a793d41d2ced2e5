"""Questions by UDP, each from a socket of its own: every question has a source port that the kernel drew anew (a
spoofer must guess it, and no dead conntrack entry is met twice), and the answer has the kernel's time stamp."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING

import msgspec

from kubesonar.core.address import family_of, packed_address
from kubesonar.model import Fault, StampSource
from kubesonar.net.address_families import ADDRESS_FAMILY
from kubesonar.net.deadline import Deadline, Failed
from kubesonar.net.dns.transport import WIRE_LIMIT, DnsReply
from kubesonar.net.epoll import Epoll
from kubesonar.net.errno_faults import fault_of
from kubesonar.net.kernel import cmsg

if TYPE_CHECKING:
    from kubesonar.net.clock import Clock
    from kubesonar.net.dns.transport import DnsServer

STRAYS_LIMIT = 1000
"""Strays read for one question before it is given up. Lower: a spoofer ends a question sooner; higher: a flood holds up
the event loop longer."""

_KEPT = 64
_RECVERR = {4: (socket.IPPROTO_IP, cmsg.IP_RECVERR), 6: (socket.IPPROTO_IPV6, cmsg.IPV6_RECVERR)}


class _Arrival(msgspec.Struct, frozen=True):
    """A datagram, and the kernel's stamp on it (ns of the wall clock, None without one)."""

    wire: bytes
    stamp: int | None


class _DnsSocket:
    """A socket from which one question was sent. It is not connected, so that answers from elsewhere are seen; hence
    ICMP errors must be asked for (IP_RECVERR)."""

    def __init__(self, server: DnsServer, wire: bytes, clock: Clock, deadline: Deadline) -> None:
        """Send the question. Raises OSError."""
        self.strays = 0
        self.elsewhere = ""
        self._id = wire[:2]
        family = family_of(server.address)
        self._peer = (packed_address(server.address), server.port)
        self._epoll = Epoll.of(deadline.loop)
        self._socket = sock = socket.socket(ADDRESS_FAMILY[family], socket.SOCK_DGRAM)
        try:
            sock.setblocking(False)
            sock.setsockopt(*_RECVERR[family], 1)
            sock.setsockopt(socket.SOL_SOCKET, cmsg.SO_TIMESTAMPING, cmsg.RX_STAMPS)
            self._handler = self._epoll.add(sock.fileno())
            self.at, self.began = clock.wall(), deadline.elapsed
            sock.sendto(wire, (server.address, server.port))
        except OSError:
            self.close()
            raise
        self.source_port: int = sock.getsockname()[1]

    async def answer(self, deadline: Deadline) -> _Arrival | None:
        """Return the answer, None where it does not come in time or `STRAYS_LIMIT` strays do. Raises OSError for an
        ICMP error."""
        while True:
            waiting = await self._handler.event(deadline)
            arrival = self.read()
            if arrival or not waiting or self.strays >= STRAYS_LIMIT:
                return arrival

    def read(self) -> _Arrival | None:
        """Return the answer if it is among the datagrams that lie here. Raises OSError for an ICMP error."""
        while self.strays < STRAYS_LIMIT:
            try:
                wire, ancillary, _, peer = self._socket.recvmsg(WIRE_LIMIT, cmsg.ANCILLARY)
            except BlockingIOError:
                return None
            if (packed_address(peer[0]), peer[1]) == self._peer and (len(wire) < 2 or wire[:2] == self._id):
                return _Arrival(wire, cmsg.received_at(ancillary))
            self.strays += 1
            if wire[:2] == self._id:
                self.elsewhere = peer[0]
        return None

    def close(self) -> None:
        """Close the socket."""
        self._epoll.drop(self._socket.fileno())
        self._socket.close()


class Unanswered:
    """Sockets of questions whose deadline has passed, kept until the same server is asked again, so that a late answer
    is told apart from none. At most `_KEPT`; the oldest are closed when one more comes."""

    def __init__(self) -> None:
        self._kept: dict[DnsServer, list[_DnsSocket]] = {}

    def keep(self, server: DnsServer, asked: _DnsSocket) -> None:
        """Take over the socket."""
        self._kept.setdefault(server, []).append(asked)
        while sum(map(len, self._kept.values())) > _KEPT:
            for late in self._kept.pop(next(iter(self._kept))):
                late.close()

    def collect(self, server: DnsServer) -> int:
        """Close the sockets of this server's questions and return how many of them were answered late."""
        count = 0
        for asked in self._kept.pop(server, ()):
            with contextlib.suppress(OSError):  # an ICMP error that came late is no answer
                count += asked.read() is not None
            asked.close()
        return count

    def close(self) -> None:
        """Close every socket."""
        for server in list(self._kept):
            self.collect(server)


async def ask_udp(server: DnsServer, wire: bytes, timeout: float, clock: Clock, unanswered: Unanswered) -> DnsReply:
    """Send the message `wire` to the server and return its reply within `timeout` seconds. A failure is in the reply.
    Answers with another id or from another address are counted and passed over. `unanswered` is shared by all questions
    of a probe."""
    late, at = unanswered.collect(server), clock.wall()
    with Deadline(timeout, clock) as deadline:
        try:
            asked = _DnsSocket(server, wire, clock, deadline)
        except OSError as error:
            fault, detail = fault_of(error)
            return DnsReply(at, deadline.elapsed, fault=fault, detail=detail, late=late)
        kept = False
        try:
            reply = await _reply(asked, deadline)
            kept = reply.fault is Fault.TIMEOUT
        finally:
            if kept:
                unanswered.keep(server, asked)
            else:
                asked.close()
    return msgspec.structs.replace(
        reply, source_port=asked.source_port, strays=asked.strays, late=late, elsewhere=asked.elsewhere
    )


async def _reply(asked: _DnsSocket, deadline: Deadline) -> DnsReply:
    try:
        arrival = await asked.answer(deadline)
    except OSError as error:
        return _failed(asked, deadline, Failed(*fault_of(error)))
    if arrival is None:
        flooded = asked.strays >= STRAYS_LIMIT
        return _failed(
            asked, deadline, Failed(Fault.WRONG_ANSWER, "flooded with strays") if flooded else deadline.passed()
        )
    elapsed = deadline.elapsed - asked.began
    took = arrival.stamp / 1e9 - asked.at if arrival.stamp else -1.0
    if not 0 <= took <= elapsed:  # no stamp, or somebody set the wall clock meanwhile
        return DnsReply(asked.at, elapsed, arrival.wire)
    if took > deadline.timeout:
        detail = f"the answer came {(took - deadline.timeout) * 1000:.0f} ms after the deadline"
        return DnsReply(asked.at, took, fault=Fault.TIMEOUT, detail=detail)
    return DnsReply(asked.at, took, arrival.wire, StampSource.KERNEL)


def _failed(asked: _DnsSocket, deadline: Deadline, failed: Failed) -> DnsReply:
    return DnsReply(asked.at, deadline.elapsed - asked.began, fault=failed.fault, detail=failed.detail)
