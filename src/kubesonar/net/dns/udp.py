"""Questions by UDP: a socket of its own for each, so that every question has a source port that the kernel drew anew
(a spoofer must guess it, and no dead conntrack entry is met twice), with the kernel's stamp on the answer."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING

import msgspec

from kubesonar.core.address import packed_address
from kubesonar.model import Fault, StampSource
from kubesonar.net import cmsg
from kubesonar.net.dns.transport import WIRE_LIMIT, DnsReply, silence
from kubesonar.net.errno_faults import fault_of

if TYPE_CHECKING:
    from kubesonar.net.clock import Clock
    from kubesonar.net.dns.transport import DnsServer

STRAYS_LIMIT = 1000
"""So many strays are read for one question; who sends more is flooding, and the question is given up."""

_BATCH = 64


class _Arrival(msgspec.Struct, frozen=True):
    """A datagram, and the kernel's stamp on it (ns of the wall clock, None without one)."""

    wire: bytes
    stamp: int | None


class _Asked:
    """A socket on which one question is out."""

    def __init__(self, server: DnsServer, wire: bytes, clock: Clock) -> None:
        self.id = wire[:2]
        self.strays = 0
        self._peer = (server.packed(), server.port)
        self.socket = server.socket(socket.SOCK_DGRAM)
        try:
            self._switch_on(server.family)
            self.at, self.began = clock.wall(), clock.mono()
            self.socket.sendto(wire, (server.address, server.port))
        except OSError:
            self.socket.close()
            raise
        self.source_port: int = self.socket.getsockname()[1]

    def _switch_on(self, family: int) -> None:
        """Not connected, so that answers from elsewhere are seen; hence ICMP errors must be asked for."""
        level, option = (socket.IPPROTO_IP, cmsg.IP_RECVERR)
        if family == 6:
            level, option = (socket.IPPROTO_IPV6, cmsg.IPV6_RECVERR)
        self.socket.setsockopt(level, option, 1)
        self.socket.setsockopt(socket.SOL_SOCKET, cmsg.SO_TIMESTAMPING, cmsg.RX_STAMPS)

    def read(self, limit: int) -> _Arrival | None:
        """The answer, if it is among the next `limit` datagrams that lie here. Raises OSError for an ICMP error."""
        for _ in range(limit):
            try:
                wire, ancillary, _, peer = self.socket.recvmsg(WIRE_LIMIT, cmsg.ANCILLARY)
            except BlockingIOError:
                return None
            if (packed_address(peer[0]), peer[1]) == self._peer and (len(wire) < 2 or wire[:2] == self.id):
                return _Arrival(wire, cmsg.received_at(ancillary))
            self.strays += 1
        return None


class Unanswered:
    """Sockets of questions whose deadline has passed, kept until the same server is asked again, so that a late answer
    is told apart from none. At most `limit`; the oldest is closed when one more comes."""

    def __init__(self, limit: int = 64) -> None:
        self._limit = limit
        self._kept: dict[DnsServer, list[_Asked]] = {}

    def keep(self, server: DnsServer, asked: _Asked) -> None:
        """Takes over the socket."""
        self._kept.setdefault(server, []).append(asked)
        while sum(map(len, self._kept.values())) > self._limit:
            for late in self._kept.pop(next(iter(self._kept))):
                late.socket.close()

    def collect(self, server: DnsServer) -> int:
        """How many of this server's questions were answered late; closes their sockets."""
        count = 0
        for asked in self._kept.pop(server, ()):
            with asked.socket, contextlib.suppress(OSError):  # an ICMP error that came late is no answer
                count += asked.read(_BATCH) is not None
        return count

    def close(self) -> None:
        """Closes every socket."""
        for server in list(self._kept):
            self.collect(server)


class UdpTransport:
    """Asks one server by UDP; `unanswered` is shared by all questions of a prober."""

    def __init__(self, server: DnsServer, timeout: float, clock: Clock, unanswered: Unanswered) -> None:
        self._server = server
        self._timeout = timeout
        self._clock = clock
        self._unanswered = unanswered

    async def exchange(self, wire: bytes) -> DnsReply:
        """See `Transport`. Answers with another id or from another address are counted and passed over."""
        late = self._unanswered.collect(self._server)
        began, at = self._clock.mono(), self._clock.wall()
        try:
            asked = _Asked(self._server, wire, self._clock)
        except OSError as error:
            fault, detail = fault_of(error)
            return DnsReply(at, self._clock.mono() - began, fault=fault, detail=detail, late=late)
        kept = False
        try:
            reply = await self._await_answer(asked)
            kept = reply.fault is Fault.TIMEOUT
        finally:
            if kept:
                self._unanswered.keep(self._server, asked)
            else:
                asked.socket.close()
        return msgspec.structs.replace(reply, source_port=asked.source_port, strays=asked.strays, late=late)

    async def _await_answer(self, asked: _Asked) -> DnsReply:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[_Arrival | None] = loop.create_future()
        timer = loop.call_later(self._timeout, _resolve, done, asked, True)
        loop.add_reader(asked.socket.fileno(), _resolve, done, asked, False)
        try:
            return self._reply(asked, await done)
        except OSError as error:
            fault, detail = fault_of(error)
            return DnsReply(asked.at, self._clock.mono() - asked.began, fault=fault, detail=detail)
        finally:
            loop.remove_reader(asked.socket.fileno())
            timer.cancel()

    def _reply(self, asked: _Asked, arrival: _Arrival | None) -> DnsReply:
        elapsed = self._clock.mono() - asked.began
        if arrival is None and asked.strays >= STRAYS_LIMIT:
            return DnsReply(asked.at, elapsed, fault=Fault.WRONG_ANSWER, detail="flooded with strays")
        if arrival is None:
            fault, detail = silence(self._timeout, elapsed)
            return DnsReply(asked.at, elapsed, fault=fault, detail=detail)
        took = arrival.stamp / 1e9 - asked.at if arrival.stamp else -1.0
        if not 0 <= took <= elapsed:  # no stamp, or somebody set the wall clock meanwhile
            return DnsReply(asked.at, elapsed, arrival.wire)
        if took > self._timeout:
            detail = f"the answer came {(took - self._timeout) * 1000:.0f} ms after the deadline"
            return DnsReply(asked.at, took, fault=Fault.TIMEOUT, detail=detail)
        return DnsReply(asked.at, took, arrival.wire, StampSource.KERNEL)


def _resolve(done: asyncio.Future[_Arrival | None], asked: _Asked, over: bool) -> None:
    """Reads what lies there; `over`: the deadline has passed, so all of it."""
    if done.done():
        return
    try:
        arrival = asked.read(STRAYS_LIMIT if over else _BATCH)
    except OSError as error:
        done.set_exception(error)
        return
    if arrival or over or asked.strays >= STRAYS_LIMIT:
        done.set_result(arrival)
