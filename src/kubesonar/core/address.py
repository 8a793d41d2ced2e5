"""IP addresses as text and as bytes, and hosts as URLs write them.

The one place that parses addresses: every other module asks here for family, bytes, spelling or membership
in a network.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from kubesonar.core.integers import read_integer

IpAddress = IPv4Address | IPv6Address
IpNetwork = IPv4Network | IPv6Network

_LONGEST = 64
"""Longest text that may be an address: 39 characters, and a zone."""


def bracketed(host: str) -> str:
    """Return a name or IP address as URLs and Host headers write it: IPv6 in brackets (RFC 3986, section 3.2.2)."""
    return f"[{host}]" if ":" in host and not host.startswith("[") else host


def read_port(text: str) -> int:
    """Return the port that `text` is: a number from 1 to 65535 in digits of ASCII. Return 0 for all else."""
    return read_integer(text, 1, 65_535) or 0


def family_of(address: str) -> int:
    """Return 6 or 4, the family of what is known to be an IP address."""
    return 6 if ":" in address else 4


def of_family(addresses: Iterable[str], family: int) -> str | None:
    """Return the first of the addresses that is of this family (4 or 6), None where there is none."""
    return next((address for address in addresses if family_of(address) == family), None)


@lru_cache(4096)  # asked of each edge of a mesh, and a name costs an exception
def is_literal(host: str) -> bool:
    """Return whether `host` is an IP address, with a zone ("fe80::1%eth0") or without, and needs no look-up."""
    try:
        _parsed(host)
    except ValueError:
        return False
    return True


def url_host(url: str) -> str:
    """Return the host that a URL names, an IPv6 address without its brackets; empty where it names none."""
    authority = url.partition("://")[2].partition("/")[0]
    if authority.startswith("["):
        return authority.partition("]")[0].removeprefix("[")
    return authority.partition(":")[0]


def packed_address(address: str) -> bytes:
    """Return an IP address in network order, without a zone: equal for two spellings of one. Raises ValueError."""
    return _parsed(address).packed


def unpacked_address(data: bytes) -> str:
    """Return the text of an address in network order, as the kernel writes it. Raises ValueError."""
    return ".".join(map(str, data)) if len(data) == 4 else str(ip_address(data))  # a tenth of the CPU


def canonical_address(address: str) -> str:
    """Return the spelling that the kernel gives to this address, without a zone. Raises ValueError."""
    return unpacked_address(packed_address(address))


def parse_network(text: str) -> IpNetwork:
    """Return the network that "10.0.0.0/8" or "fd00::/8" names; an address alone is a network of one. Bits beyond the
    prefix are passed over. Raises ValueError."""
    return ip_network(text, strict=False)


def is_in(address: str, network: IpNetwork) -> bool:
    """Return whether an IP address lies in a network. An IPv4-mapped IPv6 address counts as IPv4. Raises ValueError."""
    found = _parsed(address)
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return (mapped or found) in network


def is_unicast(address: str) -> bool:
    """Return whether this is an IP address that one machine of a cluster may have.

    Unspecified, multicast, broadcast, reserved and link-local addresses are not: at a link-local one clouds serve a
    machine's credentials.
    """
    try:
        found = _parsed(address)
    except ValueError:
        return False
    if isinstance(found, IPv6Address):
        if found.scope_id is not None:
            return False
        found = found.ipv4_mapped or found
    if isinstance(found, IPv6Address):
        return not (found.is_unspecified or found.is_multicast or found.is_link_local)
    first = found.packed[0]
    return 0 < first < 224 and not found.is_link_local


def unicast(addresses: Iterable[str]) -> tuple[str, ...]:
    """Return the addresses that `is_unicast` accepts, each once, in their order."""
    return tuple(dict.fromkeys(address for address in addresses if is_unicast(address)))


def one_of_each_family(addresses: Iterable[str]) -> tuple[str, ...]:
    """Return the first unicast address of each family.

    Kubernetes gives no more to one pod
    (https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#PodStatus, podIPs), and a status
    that lists thousands must not make every member probe thousands.
    """
    found: dict[int, str] = {}
    for address in addresses:
        if is_unicast(address):
            found.setdefault(family_of(address), address)
    return tuple(found.values())


@lru_cache(512)  # most texts are peers' addresses, and parsing one of IPv6 takes 12 us
def _parsed(text: str) -> IpAddress:
    if len(text) > _LONGEST:
        raise ValueError(f"longer than {_LONGEST} characters, so no IP address")
    return ip_address(text)
