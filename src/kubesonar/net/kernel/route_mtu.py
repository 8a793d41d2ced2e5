"""The MTU that the routing table gives to the way to an address.

Pods of an overlay often have a link of 1,500 bytes and a route that says `mtu 1450`: programs send no more than the
route's, but a socket that probes path MTUs (IP_PMTUDISC_PROBE) is held to the link's only.
"""

from __future__ import annotations

import contextlib
import socket
import struct

from kubesonar.core.address import family_of, packed_address
from kubesonar.net.address_families import ADDRESS_FAMILY
from kubesonar.net.kernel.netlink import answered, attribute, attributes
from kubesonar.net.watched_file import read_file

_GET = 26  # RTM_GETROUTE (linux/rtnetlink.h)
_DESTINATION, _LINK, _METRICS = 1, 4, 8  # RTA_DST, RTA_OIF, RTA_METRICS (linux/rtnetlink.h)
_MTU = 2  # RTAX_MTU (linux/rtnetlink.h)
_MATCH = 0x2000
"""RTM_F_FIB_MATCH (linux/rtnetlink.h): answer with the route as it was configured. Without it the answer has what ICMP
said of that destination lately, and a router that refuses big packets would hide itself."""

_ROUTE = struct.Struct("=BBBBBBBBI")
_NUMBER = struct.Struct("=I")


def route_mtu(address: str) -> int:
    """Return the MTU (bytes) that is configured for the route to this address, or that the IPv6 router of its link
    announced; 0 where there is none, no route, or the kernel does not say."""
    family, packed = family_of(address), packed_address(address)
    route = _ROUTE.pack(ADDRESS_FAMILY[family], 8 * len(packed), 0, 0, 0, 0, 0, 0, _MATCH)
    try:
        found = attributes(answered(_GET, route + attribute(_DESTINATION, packed))[_ROUTE.size :])
    except OSError:
        return 0
    configured = _number(attributes(found.get(_METRICS, b"")).get(_MTU, b""))
    announced = _announced(_number(found.get(_LINK, b""))) if family == 6 else 0
    return min((mtu for mtu in (configured, announced) if mtu), default=0)


def _number(data: bytes) -> int:
    return int(_NUMBER.unpack(data)[0]) if len(data) == _NUMBER.size else 0


def _announced(index: int) -> int:
    """The MTU for IPv6 of the interface with this number (RFC 4861, section 4.6.4); 0 where that is not known."""
    with contextlib.suppress(OSError, ValueError):
        name = socket.if_indextoname(index)
        return int(read_file(f"/proc/sys/net/ipv6/conf/{name}/mtu", 64))
    return 0
