"""This machine's own addresses, and those at which a program that listens here is reached."""

from __future__ import annotations

import socket
from collections.abc import Iterable

from kubesonar.core.address import family_of, packed_address
from kubesonar.net.address_families import ADDRESS_FAMILY

_DISCARD = 9
"""A port to name in `connect`, which sends nothing to it (RFC 863)."""


def is_own(address: str) -> bool:
    """Return whether `address` is an IP address of this network namespace.

    The kernel routes to an own address with that address as the source. Nothing is sent. Binding would tell less, since
    the sysctl net.ipv4.ip_nonlocal_bind lets any address be bound.
    """
    try:
        wanted = packed_address(address)
        with socket.socket(ADDRESS_FAMILY[family_of(address)], socket.SOCK_DGRAM) as probe:
            probe.connect((address, _DISCARD))
            return wanted == packed_address(probe.getsockname()[0])
    except (OSError, ValueError):
        return False


def without_missing_ipv6(addresses: Iterable[str]) -> list[str]:
    """Return `addresses` without "::" where the kernel has no IPv6: a default must not keep a program from starting."""
    try:
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).close()
    except OSError:
        return [address for address in addresses if address != "::"]
    return list(addresses)


def loopback_of(host: str) -> str:
    """Return the address at which a program that listens on `host` reaches itself without leaving the machine."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
