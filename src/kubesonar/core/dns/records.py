"""Resource records: types, and the data of those that a judge or a small server reads."""

from __future__ import annotations

import struct
from enum import IntEnum

import msgspec

from kubesonar.core.dns.names import BadWire, Reader, encode_name

IN = 1
"""Class Internet (RFC 1035, section 3.2.4), the only one asked for."""


class RecordType(IntEnum):
    """Record types that are known by name (IANA, DNS parameters); others are plain numbers."""

    A = 1
    NS = 2
    CNAME = 5
    SOA = 6
    PTR = 12
    MX = 15
    TXT = 16
    AAAA = 28
    SRV = 33
    OPT = 41


class Srv(msgspec.Struct, frozen=True):
    """A service's place (RFC 2782)."""

    priority: int
    weight: int
    port: int
    target: str


Data = str | tuple[bytes, ...] | Srv | bytes
"""Addresses (A, AAAA) and names (NS, CNAME, PTR) as text, strings (TXT), a place (SRV), other types' bytes as is."""


class Record(msgspec.Struct, frozen=True):
    """One record. `ttl` is in seconds, `type` and `klass` are the numbers on the wire."""

    name: str
    type: int
    ttl: int
    data: Data
    klass: int = IN


_FIXED = struct.Struct(">HHIH")
_SRV = struct.Struct(">HHH")
_NAMES = frozenset({RecordType.NS, RecordType.CNAME, RecordType.PTR})


def decode_record(reader: Reader, at: int) -> tuple[Record, int]:
    """The record at `at` and where the next one begins. Raises BadWire."""
    name, at = reader.name(at)
    begin = at + _FIXED.size
    if begin > len(reader.wire):
        raise BadWire("a record runs past the end")
    type_, klass, ttl, length = _FIXED.unpack_from(reader.wire, at)
    end = begin + length
    if end > len(reader.wire):
        raise BadWire("a record's data run past the end")
    return Record(name, type_, ttl, _decode_data(reader, type_, begin, end), klass), end


def _decode_data(reader: Reader, type_: int, begin: int, end: int) -> Data:
    if type_ in _NAMES:
        return _whole_name(reader, begin, end)
    data = reader.wire[begin:end]
    match type_:
        case RecordType.A:
            return ".".join(map(str, _sized(data, 4)))
        case RecordType.AAAA:
            return text_of_v6(_sized(data, 16))
        case RecordType.TXT:
            return _strings(data)
        case RecordType.SRV:
            if len(data) < _SRV.size:
                raise BadWire("an SRV record that ends before its target")
            priority, weight, port = _SRV.unpack_from(data)
            return Srv(priority, weight, port, _whole_name(reader, begin + _SRV.size, end))
    return data


def _sized(data: bytes, size: int) -> bytes:
    if len(data) != size:
        raise BadWire(f"an address of {len(data)} bytes instead of {size}")
    return data


def _whole_name(reader: Reader, begin: int, end: int) -> str:
    name, after = reader.name(begin)
    if after != end:
        raise BadWire("a record's name and its length disagree")
    return name


def _strings(data: bytes) -> tuple[bytes, ...]:
    """Character strings, each behind its length (RFC 1035, section 3.3)."""
    strings, at = list[bytes](), 0
    while at < len(data):
        end = at + 1 + data[at]
        if end > len(data):
            raise BadWire("a string runs past its record")
        strings.append(data[at + 1 : end])
        at = end
    if not strings:
        raise BadWire("a TXT record without a string")
    return tuple(strings)


def encode_record(record: Record) -> bytes:
    """`record` on the wire, its owner's name uncompressed. Raises ValueError where the data do not fit the type."""
    data = _encode_data(record.type, record.data)
    return encode_name(record.name) + _FIXED.pack(record.type, record.klass, record.ttl, len(data)) + data


def _encode_data(type_: int, data: Data) -> bytes:
    match data:
        case Srv():
            return _SRV.pack(data.priority, data.weight, data.port) + encode_name(data.target)
        case tuple():
            return b"".join(bytes((len(string),)) + string for string in data)
        case bytes():
            return data
    if type_ == RecordType.A:
        return bytes_of_v4(data)
    return bytes_of_v6(data) if type_ == RecordType.AAAA else encode_name(data)


def bytes_of_v4(text: str) -> bytes:
    """The four bytes of a dotted IPv4 address. Raises ValueError."""
    parts = text.split(".")
    if len(parts) != 4 or not all(part.isascii() and part.isdigit() and int(part) < 256 for part in parts):
        raise ValueError(f"an IPv4 address has four numbers up to 255, unlike {text!r}")
    return bytes(map(int, parts))


def text_of_v6(data: bytes) -> str:
    """An IPv6 address in the one form of RFC 5952, except that an embedded IPv4 address is written in hexadecimal."""
    groups = [f"{high << 8 | low:x}" for high, low in zip(data[::2], data[1::2], strict=True)]
    start, length = _longest_zeros(groups)
    if length < 2:
        return ":".join(groups)
    return ":".join(groups[:start]) + "::" + ":".join(groups[start + length :])


def _longest_zeros(groups: list[str]) -> tuple[int, int]:
    """Where the first of the longest runs of zero groups begins, and its length."""
    best, start = (0, 0), 0
    for at, group in enumerate(groups):
        if group != "0":
            start = at + 1
        elif at + 1 - start > best[1]:
            best = (start, at + 1 - start)
    return best


def bytes_of_v6(text: str) -> bytes:
    """The sixteen bytes of an IPv6 address in hexadecimal groups. Raises ValueError."""
    head, gap, tail = text.partition("::")
    front = head.split(":") if head else []
    back = tail.split(":") if tail else []
    missing = 8 - len(front) - len(back)
    if (missing < 1 if gap else missing) or not all(map(_is_group, (*front, *back))):
        raise ValueError(f"an IPv6 address has eight groups of hexadecimal digits, unlike {text!r}")
    return b"".join(int(group, 16).to_bytes(2, "big") for group in (*front, *["0"] * missing, *back))


def _is_group(text: str) -> bool:
    return 1 <= len(text) <= 4 and all(char in "0123456789abcdefABCDEF" for char in text)
