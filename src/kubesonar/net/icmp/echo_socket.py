"""One ICMP socket: of the datagram kind where the sysctl allows it, raw where we are capable."""

from __future__ import annotations

import errno
import socket
from array import array
from struct import Struct as Layout
from typing import TYPE_CHECKING

from kubesonar.net import cmsg
from kubesonar.net.icmp import packet

if TYPE_CHECKING:
    from kubesonar.net.icmp.pinger import EchoResult

_SO_ATTACH_FILTER = 26  # include/uapi/asm-generic/socket.h
_PROGRAM = Layout("@HP")  # struct sock_fprog, include/uapi/linux/filter.h
_PROTOCOL = {4: socket.IPPROTO_ICMP, 6: socket.IPPROTO_ICMPV6}
_FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
_RECVERR = {4: (socket.IPPROTO_IP, cmsg.IP_RECVERR), 6: (socket.IPPROTO_IPV6, cmsg.IPV6_RECVERR)}
_STAMPS_AWAITED = 1024


class IcmpSocket:
    """Sends echo requests under one `identifier`. `pending` are those without an answer, by sequence number; the kernel
    numbers what it sends (OPT_ID) and `awaiting` says which request a number was. Raises OSError where neither kind of
    socket may be had: PermissionError for want of permission."""

    def __init__(self, family: int, identifier: int, opened: float) -> None:
        self.family = family
        self.identifier = identifier
        self.opened = opened
        self.pending: dict[int, EchoResult] = {}
        self.raw = False
        self.socket = self._open()
        self._sequence = identifier
        self._awaiting: dict[int, EchoResult] = {}
        self._sent = 0
        try:
            self.socket.setblocking(False)
            self.restamp()
        except OSError:
            self.socket.close()
            raise

    def sequence(self) -> int:
        """The next one that no request without an answer has. Raises BlockingIOError where there is none."""
        for _ in range(0x10000):
            self._sequence = self._sequence + 1 & 0xFFFF
            if self._sequence not in self.pending:
                return self._sequence
        raise BlockingIOError(errno.EAGAIN, "every sequence number waits for an answer")

    def restamp(self) -> None:
        """Numbers what is sent from 0 again: after a failed send one cannot know whether the kernel counted it."""
        cmsg.stamps_on(self.socket, cmsg.RX_STAMPS)
        cmsg.stamps_on(self.socket, cmsg.BOTH_STAMPS)
        self._awaiting.clear()
        self._sent = 0

    def sent(self, ping: EchoResult) -> None:
        """Says what was handed to the kernel just now."""
        self._awaiting[self._sent] = ping
        self._sent = self._sent + 1 & 0xFFFFFFFF
        if len(self._awaiting) > _STAMPS_AWAITED:
            del self._awaiting[next(iter(self._awaiting))]

    def read_errors(self) -> None:
        """Empties the error queue: transmit stamps, and on a datagram socket what the network reported."""
        while self.read_error():
            pass

    def read_error(self) -> bool:
        """Takes one message from the error queue; False where it is empty."""
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
            ping.reported(error)
        return True

    def _open(self) -> socket.socket:
        family, protocol = _FAMILY[self.family], _PROTOCOL[self.family]
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
        """On a datagram socket the identifier is what port it is bound to; errors go to the error queue."""
        endpoint.setsockopt(*_RECVERR[self.family], 1)
        try:
            endpoint.bind(("", self.identifier))
        except OSError:  # somebody has it: let the kernel choose
            endpoint.bind(("", 0))
        self.identifier = endpoint.getsockname()[1]
