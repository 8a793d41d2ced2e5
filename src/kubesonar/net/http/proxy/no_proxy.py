"""NO_PROXY, read exactly as Go reads it (https://pkg.go.dev/golang.org/x/net/http/httpproxy#Config).

What looks odd is Go's: a network holds at every port, an IPv6 address in brackets counts only with a port behind it,
and of the names of this machine "localhost" alone is direct, in small letters.
"""

from __future__ import annotations

from collections.abc import Callable

from kubesonar.core.address import is_literal, packed_address, parse_network

_MAPPED = bytes(10) + b"\xff\xff"
"""Prefix of an IPv4 address in IPv6 (RFC 4291, section 2.5.5.2)."""

_Match = Callable[[str, int, bytes], bool]
"""Whether a host in small letters, its port and its address in 16 bytes (empty: a name) match an entry."""


class NoProxy:
    """The hosts that are reached without a proxy: names, ".suffixes", addresses, each with or without a port, and
    networks; "*" is every host. Entries that are none are passed over."""

    def __init__(self, text: str) -> None:
        entries = [entry for entry in (part.strip().lower() for part in text.split(",")) if entry]
        self._all = "*" in entries
        self._entries = [match for match in map(_entry, entries) if match is not None]

    def has(self, host: str, port: int) -> bool:
        """Return whether a URL's host is reached without a proxy; this machine's loopback always is."""
        if host == "localhost" or self._all:
            return True
        address = _sixteen(host) if is_literal(host) else b""
        if address == bytes(15) + b"\1" or address.startswith(_MAPPED + b"\x7f"):
            return True
        return any(match(host.lower(), port, address) for match in self._entries)


def _entry(text: str) -> _Match | None:
    network = _network(text)
    if network is not None:
        return network
    host, port = _split(text)
    if is_literal(host) and "%" not in host:
        wanted = _sixteen(host)
        return lambda _, asked, address: address == wanted and port in ("", str(asked))
    return _name(host, port) if host else None


def _name(host: str, port: str) -> _Match:
    """A name and the names below it; with a dot before it only those."""
    name = _ascii(host[1:] if host.startswith("*.") else host)
    suffix, itself = (name, "") if name.startswith(".") else (f".{name}", name)
    return lambda asked, at, address: (
        not address and (asked.endswith(suffix) or asked == itself) and port in ("", str(at))
    )


def _network(text: str) -> _Match | None:
    """A network in CIDR notation, with or without bits beyond its prefix."""
    address, slash, length = text.partition("/")
    if not slash or not (length.isascii() and length.isdecimal()) or "%" in address or not is_literal(address):
        return None
    try:
        network = parse_network(text)
    except ValueError:
        return None
    bits = network.prefixlen + (96 if network.version == 4 else 0)
    first = int.from_bytes(_sixteen(address), "big") >> (128 - bits)
    four = bits >= 96 and _sixteen(address).startswith(_MAPPED)  # IPv4, and IPv6 with IPv4 in it, are kept apart
    return lambda _, port, found: (
        bool(found) and found.startswith(_MAPPED) is four and int.from_bytes(found, "big") >> (128 - bits) == first
    )


def _split(text: str) -> tuple[str, str]:
    """Return host and port as Go's net.SplitHostPort; where that fails, the whole text is the host."""
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = inside = host[1:-1]
    else:
        inside = host if ":" not in host else "["
    if not colon or any(bracket in inside + port for bracket in "[]"):
        return text, ""
    return host, port


def _ascii(name: str) -> str:
    """Return the name with its labels in ASCII (IDNA), as Go does where it can."""
    if name.isascii():
        return name
    try:
        return ".".join(label.encode("idna").decode("ascii") for label in name.split("."))
    except UnicodeError:
        return name


def _sixteen(address: str) -> bytes:
    packed = packed_address(address)
    return packed if len(packed) == 16 else _MAPPED + packed
