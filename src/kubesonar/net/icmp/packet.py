"""The codec of ICMP echo, version 4 (RFC 792) and 6 (RFC 4443), and the socket filter for raw sockets."""

from __future__ import annotations

from struct import Struct as Layout

import msgspec

from kubesonar.core.address import unpacked_address
from kubesonar.net.kernel.bpf import Instruction, assemble

ECHO = {4: 8, 6: 128}
REPLY = {4: 0, 6: 129}
ERRORS = {4: (3, 11, 12), 6: (1, 2, 3, 4)}
"""Destination unreachable, (6: packet too big,) time exceeded, parameter problem."""

_HEADER = Layout("!BBHHH")  # type, code, checksum, identifier, sequence number
_IP_HEADER = {4: 20, 6: 40}  # of the packet that an error quotes; ours has no options
_DESTINATION = {4: slice(16, 20), 6: slice(24, 40)}


class EchoReply(msgspec.Struct, frozen=True):
    """An echo reply to a request of this socket."""

    sequence: int
    payload: bytes


class IcmpError(msgspec.Struct, frozen=True):
    """An error about an echo request that this socket sent to `destination`."""

    sequence: int
    destination: str
    too_big: bool
    words: str


def request(family: int, identifier: int, sequence: int, payload: bytes) -> bytes:
    """Return an echo request. The kernel fills in the checksum of version 6, which covers the source address."""
    kind = ECHO[family]
    bare = _HEADER.pack(kind, 0, 0, identifier, sequence) + payload
    if family == 6:
        return bare
    return _HEADER.pack(kind, 0, checksum(bare), identifier, sequence) + payload


def checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    # 2**16 is 1 modulo 2**16 - 1, so the ones' complement sum of the words is the whole number's remainder.
    total = int.from_bytes(data, "big") % 0xFFFF
    return ~total & 0xFFFF


def without_ip_header(packet: bytes) -> bytes:
    """Return a packet of a raw socket of version 4 from the ICMP header on."""
    return packet[4 * (packet[0] & 15) :] if packet else b""


def read_packet(family: int, data: bytes, identifier: int) -> EchoReply | IcmpError | None:
    """Return the message in `data`, which begins at the ICMP header; None where it is not for `identifier`."""
    if len(data) < _HEADER.size:
        return None
    kind, code, _, number, sequence = _HEADER.unpack_from(data)
    if kind == REPLY[family]:
        return EchoReply(sequence, data[_HEADER.size :]) if number == identifier else None
    if kind not in ERRORS[family]:
        return None
    return _quoted(family, kind, code, data[_HEADER.size :], identifier)


def _quoted(family: int, kind: int, code: int, quote: bytes, identifier: int) -> IcmpError | None:
    size = _IP_HEADER[family]
    if len(quote) < size + _HEADER.size:
        return None
    inner, _, _, number, sequence = _HEADER.unpack_from(quote, size)
    if inner != ECHO[family] or number != identifier:
        return None
    words = _WORDS.get((family, kind), "") or _UNREACHABLE.get((family, code), "destination unreachable")
    destination = unpacked_address(quote[_DESTINATION[family]])
    too_big = kind == 2 if family == 6 else (kind, code) == (3, 4)
    return IcmpError(sequence, destination, too_big, words)


_WORDS = {
    (4, 11): "time exceeded",
    (4, 12): "parameter problem",
    (6, 2): "packet too big",
    (6, 3): "time exceeded",
    (6, 4): "parameter problem",
}
_UNREACHABLE = {
    (4, 0): "network unreachable",
    (4, 1): "host unreachable",
    (4, 4): "packet too big",
    (4, 9): "network prohibited",
    (4, 10): "host prohibited",
    (4, 13): "communication prohibited",
    (6, 0): "no route",
    (6, 1): "communication prohibited",
    (6, 3): "address unreachable",
    (6, 5): "source address refused",
    (6, 6): "route refused",
}
"""Words for each code of "destination unreachable" (RFC 792, RFC 1122 section 3.2.2.1, RFC 1812 section 5.2.7.1; RFC
4443)."""

_LOAD_HEADER = (0xB1, 0, 0, 0)  # x = length of the IP header; codes of include/uapi/linux/bpf_common.h
_LOAD_BYTE = {4: 0x50, 6: 0x30}  # at x + k (4), at k (6: a raw socket's data has no IP header)
_LOAD_HALF = {4: 0x48, 6: 0x28}
_EQUAL = 0x15
_RETURN = 0x06
_ALL = 0xFFFF


def socket_filter(family: int, identifier: int) -> bytes:
    """Return a classic BPF program that passes replies to `identifier` and errors about its requests.

    A raw socket gets a copy of every ICMP packet of the machine; without the filter each would wake this process.
    """
    errors = ERRORS[family]
    quoted = _HEADER.size + _IP_HEADER[family] + 4
    program: list[Instruction] = [_LOAD_HEADER] if family == 4 else []
    program.append((_LOAD_BYTE[family], 0, 0, 0))
    program.append((_EQUAL, len(errors) + 1, 0, REPLY[family]))
    program += [(_EQUAL, len(errors) - at + 2, 0, kind) for at, kind in enumerate(errors)]
    program += [
        (_RETURN, 0, 0, 0),
        (_LOAD_HALF[family], 0, 0, 4),
        (_EQUAL, 2, 3, identifier),
        (_LOAD_HALF[family], 0, 0, quoted),
        (_EQUAL, 0, 1, identifier),
        (_RETURN, 0, 0, _ALL),
        (_RETURN, 0, 0, 0),
    ]
    return assemble(program)
