"""One ICMP socket: a datagram socket where the sysctl ping_group_range allows it, else a raw one."""

from __future__ import annotations

import errno
import socket
from array import array
from struct import Struct as Layout

from kubesonar.net import cmsg
from kubesonar.net.address_families import ADDRESS_FAMILY
from kubesonar.net.icmp import packet
from kubesonar.net.icmp.echo import PendingEcho

_SO_ATTACH_FILTER = 26  # include/uapi/asm-generic/socket.h
_PROGRAM = Layout("@HP")  # struct sock_fprog, include/uapi/linux/filter.h
_PROTOCOL = {4: socket.IPPROTO_ICMP, 6: socket.IPPROTO_ICMPV6}
_RECVERR = {4: (socket.IPPROTO_IP, cmsg.IP_RECVERR), 6: (socket.IPPROTO_IPV6, cmsg.IPV6_RECVERR)}

_STAMPS_AWAITED = 1024
"""Requests whose transmit stamp may be missing; beyond, the oldest is forgotten and measured by our own clock."""


class IcmpSocket:
    """Sends echo requests under one `identifier`; `pending` are those without a reply, by sequence number.

    The kernel numbers what it sends (OPT_ID) and puts transmit stamps with that number into the error queue. Raises
    OSError where neither kind of socket can be opened: PermissionError where that is a matter of rights.
    """

    def __init__(self, family: int, identifier: int, opened: float) -> None:
        self.family = family
        self.identifier = identifier
        self.opened = opened
        self.pending: dict[int, PendingEcho] = {}
        self.raw = False
        self.socket = self._open()
        self._sequence = identifier
        self._awaiting: dict[int, PendingEcho] = {}
        self._sent = 0
        try:
            self.socket.setblocking(False)
            self.restamp()
        except OSError:
            self.socket.close()
            raise

    def sequence(self) -> int:
        """Return the next number that no pending request has. Raises BlockingIOError where all are taken."""
        for _ in range(0x10000):
            self._sequence = self._sequence + 1 & 0xFFFF
            if self._sequence not in self.pending:
                return self._sequence
        raise BlockingIOError(errno.EAGAIN, "every sequence number waits for an answer")

    def restamp(self) -> None:
        """Start the kernel's numbers at 0 again: after a failed send it is unknown whether the kernel counted it."""
        cmsg.stamps_on(self.socket, cmsg.RX_STAMPS)
        cmsg.stamps_on(self.socket, cmsg.BOTH_STAMPS)
        self._awaiting.clear()
        self._sent = 0

    def sent(self, ping: PendingEcho) -> None:
        """Record the request that the kernel took just now."""
        self._awaiting[self._sent] = ping
        self._sent = self._sent + 1 & 0xFFFFFFFF
        if len(self._awaiting) > _STAMPS_AWAITED:
            del self._awaiting[next(iter(self._awaiting))]

    def read_errors(self) -> None:
        """Empty the error queue: transmit stamps, and on a datagram socket the network's errors."""
        while self.read_error():
            pass

    def read_error(self) -> bool:
        """Take one message from the error queue; return False where it is empty."""
        try:
            quote, ancillary, _, _ = self.socket.recvmsg(64, cmsg.ANCILLARY, socket.MSG_ERRQUEUE)
        except OSError:
            return False
        stamp = cmsg.sent_stamp(ancillary)
        if stamp is not None:
            ping = self._awaiting.pop(stamp[0], None)
            if ping is not None:
                ping.left = stamp[1]
            return True
        error = cmsg.error_in(ancillary)
        ping = self.pending.get(int.from_bytes(quote[6:8], "big")) if len(quote) >= 8 else None
        if error is not None and ping is not None:
            ping.failed(error)
        return True

    def _open(self) -> socket.socket:
        family, protocol = ADDRESS_FAMILY[self.family], _PROTOCOL[self.family]
        try:
            endpoint = socket.socket(family, socket.SOCK_DGRAM, protocol)
        except PermissionError:
            self.raw = True
            endpoint = socket.socket(family, socket.SOCK_RAW, protocol)
        try:
            if self.raw:
                self._filter(endpoint)
            else:
                self._bind(endpoint)
        except OSError:
            endpoint.close()
            raise
        return endpoint

    def _filter(self, endpoint: socket.socket) -> None:
        program = array("B", packet.socket_filter(self.family, self.identifier))
        address, size = program.buffer_info()
        endpoint.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, _PROGRAM.pack(size // 8, address))

    def _bind(self, endpoint: socket.socket) -> None:
        """Bind a datagram socket, whose port is its identifier; send its errors to the error queue."""
        endpoint.setsockopt(*_RECVERR[self.family], 1)
        try:
            endpoint.bind(("", self.identifier))
        except OSError:  # another process has it: the kernel chooses
            endpoint.bind(("", 0))
        self.identifier = endpoint.getsockname()[1]
