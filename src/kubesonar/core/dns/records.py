"""Encodes and decodes resource records: the types that a prober or a small server reads."""

from __future__ import annotations

import struct
from enum import IntEnum

import msgspec

from kubesonar.core.address import packed_address, unpacked_address
from kubesonar.core.dns.names import BadWire, Reader, encode_name

IN = 1
"""Class Internet (RFC 1035, section 3.2.4), the only one that is asked for."""


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
    """The place of a service (RFC 2782)."""

    priority: int
    weight: int
    port: int
    target: str


Data = str | tuple[bytes, ...] | Srv | bytes
"""Addresses (A, AAAA) and names (NS, CNAME, PTR) as text, strings (TXT), `Srv`, and the bytes of other types."""


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
_ADDRESS_SIZE: dict[int, int] = {RecordType.A: 4, RecordType.AAAA: 16}


def decode_record(reader: Reader, at: int) -> tuple[Record, int]:
    """Return the record at `at`, and the offset behind it. Raises BadWire."""
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
        case RecordType.A | RecordType.AAAA:
            if len(data) != _ADDRESS_SIZE[type_]:
                raise BadWire(f"an address of {len(data)} bytes")
            return unpacked_address(data)
        case RecordType.TXT:
            return _strings(data)
        case RecordType.SRV:
            if len(data) < _SRV.size:
                raise BadWire("an SRV record that ends before its target")
            priority, weight, port = _SRV.unpack_from(data)
            return Srv(priority, weight, port, _whole_name(reader, begin + _SRV.size, end))
    return data


def _whole_name(reader: Reader, begin: int, end: int) -> str:
    name, after = reader.name(begin)
    if after != end:
        raise BadWire("a record's name and its length disagree")
    return name


def _strings(data: bytes) -> tuple[bytes, ...]:
    """Return the character strings of a TXT record, each behind its length (RFC 1035, section 3.3)."""
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
    """Return `record` on the wire, its owner's name uncompressed. Raises ValueError where the data do not fit the
    type."""
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
    if type_ not in _ADDRESS_SIZE:
        return encode_name(data)
    packed = packed_address(data)
    if len(packed) != _ADDRESS_SIZE[type_]:
        raise ValueError(f"a record of type {RecordType(type_).name} holds no address like {data!r}")
    return packed
