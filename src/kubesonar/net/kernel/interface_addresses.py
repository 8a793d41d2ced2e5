"""The addresses and MTUs of every interface of this network namespace, asked of the kernel."""

from __future__ import annotations

import socket
import struct

from kubesonar.net.kernel.netlink import attributes, dumped

_GET = 22  # RTM_GETADDR (linux/rtnetlink.h)
_ADDRESS, _LOCAL = 1, 2  # IFA_ADDRESS, IFA_LOCAL (linux/if_addr.h)
_ENTRY = struct.Struct("=BBBBI")

_GET_LINK = 18  # RTM_GETLINK (linux/rtnetlink.h)
_LINK = struct.Struct("=BxHiII")  # struct ifinfomsg
_NAME, _MTU = 3, 4  # IFLA_IFNAME, IFLA_MTU (linux/if_link.h)
_NUMBER = struct.Struct("=I")

_FAMILIES = {int(socket.AF_INET): 4, int(socket.AF_INET6): 16}


def interface_addresses() -> dict[str, list[str]]:
    """Return the addresses of each interface that has any, with their prefix lengths ("10.0.0.1/24"), in the kernel's
    order. Raises OSError."""
    found: dict[str, list[str]] = {}
    names = dict(socket.if_nameindex())
    for entry in dumped(_GET, _ENTRY.pack(0, 0, 0, 0, 0)):
        family, prefix, _, _, index = _ENTRY.unpack_from(entry)
        if family in _FAMILIES and (address := _address(entry[_ENTRY.size :], _FAMILIES[family])):
            text = f"{socket.inet_ntop(family, address)}/{prefix}"
            found.setdefault(names.get(index, str(index)), []).append(text)
    return found


def interface_mtus() -> dict[str, int]:
    """Return the MTU (bytes) of each interface by its name, in the kernel's order. Raises OSError."""
    found: dict[str, int] = {}
    for entry in dumped(_GET_LINK, _LINK.pack(0, 0, 0, 0, 0)):
        told = attributes(entry[_LINK.size :])
        if _NAME in told and len(told.get(_MTU, b"")) == _NUMBER.size:
            found[told[_NAME].rstrip(b"\0").decode("utf-8", "replace")] = _NUMBER.unpack(told[_MTU])[0]
    return found


def _address(data: bytes, size: int) -> bytes:
    """Return the address itself: on a point-to-point link IFA_ADDRESS is that of the other end."""
    found = attributes(data)
    address = found.get(_LOCAL) or found.get(_ADDRESS, b"")
    return address if len(address) == size else b""
