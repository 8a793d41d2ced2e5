"""Addresses that may be a member's."""

from __future__ import annotations

import socket
from collections.abc import Iterable

_MAPPED = bytes(10) + b"\xff\xff"
"""How IPv4 addresses begin in IPv6 clothes (RFC 4291, section 2.5.5.2)."""

_LINK_LOCAL = bytes((169, 254))
"""RFC 3927; in IPv6 fe80::/10 (RFC 4291, section 2.4)."""


def packed(address: str) -> bytes:
    """An IP address in network order, so that two spellings of one compare equal. Raises OSError or ValueError."""
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def is_members(address: str) -> bool:
    """Whether this is an IP address that can be one member's: not "any", multicast, broadcast or link-local, at
    which clouds serve a machine's credentials."""
    try:
        octets = packed(address)
    except (OSError, ValueError):
        return False
    octets = octets.removeprefix(_MAPPED)
    if len(octets) == 16:
        reserved = octets[0] == 0xFF or (octets[0] == 0xFE and octets[1] & 0xC0 == 0x80)
    else:
        reserved = octets[0] >= 224 or octets[0] == 0 or octets[:2] == _LINK_LOCAL
    return any(octets) and not reserved


def of_one(addresses: Iterable[str]) -> tuple[str, ...]:
    """Those of one pod or host that can be a member's: the first one of each family, which is all that Kubernetes gives
    (https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#PodStatus, podIPs). A status that
    lists thousands must not have every member ask thousands."""
    found: dict[bool, str] = {}
    for address in addresses:
        if is_members(address):
            found.setdefault(":" in address, address)
    return tuple(found.values())


def usable(addresses: Iterable[str]) -> tuple[str, ...]:
    """Those that can be a member's, each once, in their order."""
    return tuple(dict.fromkeys(address for address in addresses if is_members(address)))
