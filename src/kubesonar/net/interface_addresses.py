"""The addresses of every interface of this network namespace, asked of the kernel by netlink (rtnetlink(7))."""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator

_GET, _NEW, _DONE, _ERROR = 22, 20, 3, 2  # RTM_GETADDR, RTM_NEWADDR, NLMSG_DONE, NLMSG_ERROR (linux/rtnetlink.h)
_DUMP = 0x301  # NLM_F_REQUEST | NLM_F_DUMP (linux/netlink.h)
_ADDRESS, _LOCAL = 1, 2  # IFA_ADDRESS, IFA_LOCAL (linux/if_addr.h)
_HEADER = struct.Struct("=IHHII")
_ENTRY = struct.Struct("=BBBBI")
_ATTRIBUTE = struct.Struct("=HH")
_SIZE = 65_536
"""Most bytes of one datagram of the kernel, which sends at most 32 KiB. Lower, and an answer is cut off."""

_FAMILIES = {int(socket.AF_INET): 4, int(socket.AF_INET6): 16}


def interface_addresses() -> dict[str, list[str]]:
    """Return the addresses of each interface that has any, with their prefix lengths ("10.0.0.1/24"), in the kernel's
    order. Raises OSError."""
    found: dict[str, list[str]] = {}
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE) as kernel:
        kernel.send(_HEADER.pack(_HEADER.size + _ENTRY.size, _GET, _DUMP, 1, 0) + _ENTRY.pack(0, 0, 0, 0, 0))
        names = dict(socket.if_nameindex())
        for entry in _entries(kernel):
            family, prefix, _, _, index = _ENTRY.unpack_from(entry)
            if family in _FAMILIES and (address := _address(entry[_ENTRY.size :], _FAMILIES[family])):
                text = f"{socket.inet_ntop(family, address)}/{prefix}"
                found.setdefault(names.get(index, str(index)), []).append(text)
    return found


def _entries(kernel: socket.socket) -> Iterator[bytes]:
    """Yield the bodies of the messages of one dump."""
    while True:
        data = kernel.recv(_SIZE)
        for kind, body in _pieces(data):
            if kind == _DONE:
                return
            if kind == _ERROR:
                number = -struct.unpack_from("=i", body)[0]
                raise OSError(number, os.strerror(number))
            if kind == _NEW:
                yield body


def _pieces(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= _HEADER.size:
        length, kind, _, _, _ = _HEADER.unpack_from(data)
        length = max(length, _HEADER.size)
        yield kind, data[_HEADER.size : length]
        data = data[_aligned(length) :]


def _address(attributes: bytes, size: int) -> bytes:
    """Return the address itself: on a point-to-point link IFA_ADDRESS is that of the other end."""
    found: dict[int, bytes] = {}
    while len(attributes) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(attributes)
        length = max(length, _ATTRIBUTE.size)
        found[kind] = attributes[_ATTRIBUTE.size : length]
        attributes = attributes[_aligned(length) :]
    address = found.get(_LOCAL) or found.get(_ADDRESS, b"")
    return address if len(address) == size else b""


def _aligned(length: int) -> int:
    return (length + 3) & ~3
