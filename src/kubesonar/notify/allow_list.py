"""Where notices may go: an allow-list of hosts, and one of networks for what their names resolve to."""

from __future__ import annotations

import socket
from collections.abc import Iterable

from kubesonar.config import ConfigError
from kubesonar.net.dns.system_resolver import is_literal

AllowedNetwork = tuple[int, int, int]
"""Length of its addresses in bits, the network's number, length of its prefix."""


def host_allowed(host: str, patterns: Iterable[str]) -> bool:
    """Whether `host` is one of the patterns: a name or address, or "*.example.org" for every name below that."""
    name = host.lower().rstrip(".")
    for pattern in patterns:
        wanted = pattern.lower().rstrip(".")
        if name == wanted or (wanted.startswith("*.") and name.endswith(wanted[1:]) and not is_literal(name)):
            return True
    return False


def network(key: str, text: str) -> AllowedNetwork:
    """Reads "10.0.0.0/8" or "fd00::/8"; an address alone is a network of one. Raises ConfigError, naming `key`."""
    address, slash, length = text.partition("/")
    try:
        bits, number = _number(address)
        prefix = int(length) if slash else bits
    except (OSError, ValueError):
        bits = prefix = -1
    if not 0 <= prefix <= bits:
        raise ConfigError(f'{key}: got "{text[:80]}", expected a network as 10.0.0.0/8 or fd00::/8')
    return bits, number >> (bits - prefix), prefix


def address_allowed(address: str, networks: Iterable[AllowedNetwork]) -> bool:
    """Whether the IP literal `address` lies in one of the networks. An IPv4 address in IPv6 clothes counts as IPv4."""
    bits, number = _number(address.partition("%")[0])
    if bits == 128 and number >> 32 == 0xFFFF:
        bits, number = 32, number & 0xFFFFFFFF
    return any(bits == size and number >> (bits - prefix) == start for size, start, prefix in networks)


def _number(address: str) -> tuple[int, int]:
    packed = socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
    return 8 * len(packed), int.from_bytes(packed, "big")
