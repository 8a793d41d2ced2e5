"""The sockets of a port that answers from the address that it was asked at."""

from __future__ import annotations

import socket

from kubesonar.core.address import family_of
from kubesonar.net.address_families import ADDRESS_FAMILY
from kubesonar.net.kernel import cmsg


class AnsweringSocket:
    """One socket of a port, ready to be bound to `address`, with a receive buffer of so many bytes (cut to
    net.core.rmem_max). `members`: it gets what carries a cookie, as members' datagrams do, or everything."""

    __slots__ = ("family", "members", "socket")

    def __init__(self, address: str, buffer: int, *, members: bool) -> None:
        self.family = family_of(address)
        self.members = members
        self.socket = _open(address, self.family, buffer)


def reply_from(ancillary: cmsg.Ancillary) -> cmsg.Ancillary:
    """Return the control message that sends from the address that was asked.

    Routing chooses the interface (index 0), except for link-local addresses, which need one.
    """
    for level, kind, data in ancillary:
        if level == socket.IPPROTO_IP and kind == cmsg.IP_PKTINFO:
            return [(level, kind, bytes(4) + data[4:8] + bytes(4))]  # struct in_pktinfo: ifindex, spec_dst, addr
        if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO:
            index = data[16:20] if data[0] == 0xFE and data[1] & 0xC0 == 0x80 else bytes(4)
            return [(level, kind, data[:16] + index)]  # struct in6_pktinfo: addr, ifindex
    return []


def _open(address: str, family: int, buffer: int) -> socket.socket:
    """Return a socket that is ready to be bound to this address."""
    endpoint = socket.socket(ADDRESS_FAMILY[family], socket.SOCK_DGRAM)
    try:
        endpoint.setblocking(False)
        endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        if family == 6:
            endpoint.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if address in ("0.0.0.0", "::"):
            _report_destination(endpoint)
    except OSError:
        endpoint.close()
        raise
    return endpoint


def _report_destination(listener: socket.socket) -> None:
    """Make the kernel report the own address that a datagram came to, so that the answer can come from it."""
    if listener.family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    else:
        listener.setsockopt(socket.IPPROTO_IP, cmsg.IP_PKTINFO, 1)
