"""Allow-lists of receivers: their hosts, and the networks of the addresses that these resolve to."""

from __future__ import annotations

from collections.abc import Iterable

from kubesonar.config import ConfigError
from kubesonar.core.address import IpNetwork, is_in, is_literal, parse_network


def host_allowed(host: str, patterns: Iterable[str]) -> bool:
    """Return whether `host` matches one of the patterns: a name or address, or "*.example.org" for every name below."""
    name = host.lower().rstrip(".")
    for pattern in patterns:
        wanted = pattern.lower().rstrip(".")
        if name == wanted or (wanted.startswith("*.") and name.endswith(wanted[1:]) and not is_literal(name)):
            return True
    return False


def network(key: str, text: str) -> IpNetwork:
    """Read "10.0.0.0/8" or "fd00::/8"; an address alone is a network of one. Raises ConfigError, naming `key`."""
    try:
        return parse_network(text)
    except ValueError:
        raise ConfigError(f'{key}: got "{text[:80]}", expected a network as 10.0.0.0/8 or fd00::/8') from None


def address_allowed(address: str, networks: Iterable[IpNetwork]) -> bool:
    """Return whether the IP address lies in one of the networks. An IPv4-mapped IPv6 address counts as IPv4."""
    return any(is_in(address, network) for network in networks)
