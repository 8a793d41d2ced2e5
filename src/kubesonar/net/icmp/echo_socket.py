"""One ICMP socket: a datagram socket where the sysctl ping_group_range allows it, else a raw one."""

from __future__ import annotations

import errno
import select
import socket
import time

from kubesonar.model import Fault
from kubesonar.net.address_families import ADDRESS_FAMILY
from kubesonar.net.icmp import packet
from kubesonar.net.icmp.echo import PendingEcho
from kubesonar.net.kernel import bpf, cmsg
from kubesonar.net.kernel.error_queue import ErrorQueue, QueuedError, TransmitStamp

_PROTOCOL = {4: socket.IPPROTO_ICMP, 6: socket.IPPROTO_ICMPV6}
_RECVERR = {4: (socket.IPPROTO_IP, cmsg.IP_RECVERR), 6: (socket.IPPROTO_IPV6, cmsg.IPV6_RECVERR)}

_BATCH = 256
"""Packets read from one socket before the others have their turn."""

_ROOM = 2048
"""Bytes read of one packet."""

_STAMPS_AWAITED = 1024
"""Requests whose transmit stamp may be missing; beyond, the oldest is forgotten, and its round trip is less exact."""


class IcmpSocket:
    """Sends echo requests under one `identifier`; `pending` are those without a reply, by sequence number; `errors` has
    the transmit stamps of requests and what failed.

    Raises OSError where neither kind of socket can be opened: PermissionError where that is a matter of rights.
    """

    def __init__(self, family: int, identifier: int, opened: float) -> None:
        self.family = family
        self.identifier = identifier
        self.opened = opened
        self.pending: dict[int, PendingEcho] = {}
        self.raw = False
        self.socket = self._open()
        self._sequence = identifier
        self.socket.setblocking(False)
        self.errors: ErrorQueue[PendingEcho] = ErrorQueue(self.socket, _STAMPS_AWAITED)

    def sequence(self) -> int:
        """Return the next number that no pending request has. Raises BlockingIOError where all are taken."""
        for _ in range(0x10000):
            self._sequence = self._sequence + 1 & 0xFFFF
            if self._sequence not in self.pending:
                return self._sequence
        raise BlockingIOError(errno.EAGAIN, "every sequence number waits for an answer")

    def send(self, address: str, packet: bytes, ping: PendingEcho) -> None:
        """Send a request and read its transmit stamp. Raises OSError."""
        try:
            self._send(address, packet, ping)
        except OSError:
            # The next call on the socket reports an error that an earlier request met (ip(7)).
            self.read_errors()
            self.errors.restart()
            self._send(address, packet, ping)
        self.errors.sent(ping)
        self._take(self.errors.read())

    def ready(self, events: int) -> bool:
        """Handle the socket's events; return False where a full batch may have left more to read."""
        empty = not events & select.EPOLLERR or self.read_errors()
        return empty & (not events & ~select.EPOLLERR or self.read())

    def read(self) -> bool:
        """Read the packets that the socket holds; return False where a full batch may have left more."""
        for _ in range(_BATCH):
            try:
                data, ancillary, _, peer = self.socket.recvmsg(_ROOM, cmsg.ANCILLARY)
            except BlockingIOError:
                return True
            except OSError:
                self.read_errors()  # an ICMP error, reported once; the answers behind it are still there
                continue
            if self.raw and self.family == 4:
                data = packet.without_ip_header(data)
            found = packet.read_packet(self.family, data, self.identifier)
            self._take_packet(found, cmsg.received_at(ancillary), peer[0].partition("%")[0])
        return False

    def read_errors(self) -> bool:
        """Read transmit stamps and, on a datagram socket, the network's errors; return False where a full batch may
        have left more."""
        for _ in range(_BATCH):
            found = self.errors.read()
            if found is None:
                return True
            self._take(found)
        return False

    def _send(self, address: str, packet: bytes, ping: PendingEcho) -> None:
        ping.wall, ping.began = time.time_ns(), time.monotonic_ns()
        self.socket.sendto(packet, (address, 0))

    def _take(self, found: TransmitStamp[PendingEcho] | QueuedError | None) -> None:
        if isinstance(found, TransmitStamp):
            found.item.left = found.at
        elif found is not None and len(found.quote) >= 8:
            ping = self.pending.get(int.from_bytes(found.quote[6:8], "big"))
            if ping is not None:
                ping.failed(found.error)

    def _take_packet(self, found: packet.EchoReply | packet.IcmpError | None, stamp: int | None, peer: str) -> None:
        """Take a reply from the address that was asked if it holds the payload sent, and an error about a request."""
        ping = self.pending.get(found.sequence) if found else None
        if ping is None or ping.ended:
            return
        if isinstance(found, packet.EchoReply):
            if peer == ping.address and found.payload == ping.payload:
                ping.answered(stamp)
        elif found and found.destination == ping.address:
            ping.refused(Fault.TOO_BIG if found.too_big else Fault.UNREACHABLE, found.words, peer)

    def _open(self) -> socket.socket:
        family, protocol = ADDRESS_FAMILY[self.family], _PROTOCOL[self.family]
        try:
            endpoint = socket.socket(family, socket.SOCK_DGRAM, protocol)
        except PermissionError:
            self.raw = True
            endpoint = socket.socket(family, socket.SOCK_RAW, protocol)
        try:
            if self.raw:
                program = packet.socket_filter(self.family, self.identifier)
                bpf.attach(endpoint, bpf.SO_ATTACH_FILTER, program)
            else:
                self._bind(endpoint)
        except OSError:
            endpoint.close()
            raise
        return endpoint

    def _bind(self, endpoint: socket.socket) -> None:
        """Bind a datagram socket, whose port is its identifier; send its errors to the error queue."""
        endpoint.setsockopt(*_RECVERR[self.family], 1)
        try:
            endpoint.bind(("", self.identifier))
        except OSError:  # another process has it: the kernel chooses
            endpoint.bind(("", 0))
        self.identifier = endpoint.getsockname()[1]
