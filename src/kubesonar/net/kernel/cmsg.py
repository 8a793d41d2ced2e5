"""Control messages: the kernel's time stamps of datagrams, and errors with the host that reported them.

Python's `socket` (3.11) lacks these numbers; each is named with the header that defines it.
"""

from __future__ import annotations

import socket
from struct import Struct as Layout

import msgspec

from kubesonar.core.address import unpacked_address

SO_TIMESTAMPING = 37  # include/uapi/asm-generic/socket.h; also the type of the control message
TX_SOFTWARE = 1 << 1  # this and the next four: include/uapi/linux/net_tstamp.h, SOF_TIMESTAMPING_*
RX_SOFTWARE = 1 << 3
SOFTWARE = 1 << 4
OPT_ID = 1 << 7
OPT_TSONLY = 1 << 11
RX_STAMPS = RX_SOFTWARE | SOFTWARE
BOTH_STAMPS = RX_STAMPS | TX_SOFTWARE | OPT_ID | OPT_TSONLY

IP_PKTINFO = 8  # include/uapi/linux/in.h, this and the next two
IP_MTU_DISCOVER = 10
IP_RECVERR = 11
PMTUDISC_PROBE = 3  # set DF, ignore the cached path MTU
IPV6_MTU_DISCOVER = 23  # include/uapi/linux/in6.h, this and the next two
IPV6_RECVERR = 25
IPV6_DONTFRAG = 62

ORIGIN_LOCAL = 1  # include/uapi/linux/errqueue.h, SO_EE_ORIGIN_*
ORIGIN_ICMP = 2
ORIGIN_ICMP6 = 3
ORIGIN_STAMP = 4

_SOCKET, _IP, _IPV6 = (
    int(socket.SOL_SOCKET),
    int(socket.IPPROTO_IP),
    int(socket.IPPROTO_IPV6),
)  # plain: quick to compare
_STAMP = Layout("@ll")  # struct timespec of the machine
_ERROR = Layout("=IBBBxII")  # struct sock_extended_err: errno, origin, type, code, info, data
ANCILLARY = 512
"""Room for the control messages that are switched on here (bytes)."""

Ancillary = list[tuple[int, int, bytes]]


class NetError(msgspec.Struct, frozen=True):
    """An error that the kernel or the network reported for a datagram.

    `by` is the address of the router or host that reported it, empty for this machine; `mtu` is the size that would
    pass, where the error tells (EMSGSIZE), else 0.
    """

    errno: int
    local: bool
    by: str = ""
    mtu: int = 0


def stamps_on(endpoint: socket.socket, flags: int) -> bool:
    """Ask for the kernel's stamps; return whether there will be any. On a kernel without (gVisor) round trips are
    measured by the process's clock."""
    try:
        endpoint.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPING, flags)
    except OSError:
        return False
    return True


def received_at(ancillary: Ancillary) -> int | None:
    """Return the kernel's receive stamp in ns of the wall clock, None where there is none."""
    for level, kind, data in ancillary:
        if kind == SO_TIMESTAMPING and level == _SOCKET:
            return _nanoseconds(data)
    return None


def sent_stamp(ancillary: Ancillary) -> tuple[int, int] | None:
    """Return the number of a send of this socket (OPT_ID) and its transmit stamp in ns of the wall clock."""
    at, number = None, None
    for level, kind, data in ancillary:
        if kind == SO_TIMESTAMPING and level == _SOCKET:
            at = _nanoseconds(data)
        elif _is_error(level, kind, data):
            fields = _ERROR.unpack_from(data)
            if fields[1] != ORIGIN_STAMP:
                return None
            number = fields[5]
    return None if at is None or number is None else (number, at)


def error_in(ancillary: Ancillary) -> NetError | None:
    """Return the error in a message of the error queue, None where it holds none."""
    for level, kind, data in ancillary:
        if not _is_error(level, kind, data):
            continue
        number, origin, _, _, info, _ = _ERROR.unpack_from(data)
        if origin not in (ORIGIN_LOCAL, ORIGIN_ICMP, ORIGIN_ICMP6):
            continue
        return NetError(number, origin == ORIGIN_LOCAL, _offender(data[_ERROR.size :]), info)
    return None


def _is_error(level: int, kind: int, data: bytes) -> bool:
    ours = (kind == IP_RECVERR and level == _IP) or (kind == IPV6_RECVERR and level == _IPV6)
    return ours and len(data) >= _ERROR.size


def _offender(data: bytes) -> str:
    """Return the address in the sockaddr behind sock_extended_err (SO_EE_OFFENDER), empty where there is none."""
    family = int.from_bytes(data[:2], "little" if _LITTLE else "big")
    if family == socket.AF_INET and len(data) >= 8:
        return unpacked_address(data[4:8])
    if family == socket.AF_INET6 and len(data) >= 24:
        return unpacked_address(data[8:24])
    return ""


def _nanoseconds(data: bytes) -> int | None:
    if len(data) < _STAMP.size:
        return None
    seconds, rest = _STAMP.unpack_from(data)
    return (seconds * 1_000_000_000 + rest) or None


_LITTLE = Layout("=H").pack(1) == b"\1\0"
