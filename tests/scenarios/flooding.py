"""Floods from one namespace of a lab: datagrams with a forged sender, and more connections than anybody accepts."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable
from ipaddress import ip_address
from struct import pack

from kubesonar.core.wire.codec import DatagramType, Sender
from kubesonar.core.wire.identity import WireIdentity
from kubesonar.core.wire.keyring import Keyring
from kubesonar.model import MEMBER_PORT, Member

_IP_HDRINCL = {4: (socket.IPPROTO_IP, socket.IP_HDRINCL), 6: (socket.IPPROTO_IPV6, 36)}  # include/uapi/linux/in6.h
_TICK = 0.005

STRANGER = Keyring({1: b"not the mesh's key"}, 1)


def udp_packet(source: str, target: str, payload: bytes, port: int = MEMBER_PORT) -> bytes:
    """An IP packet from `source` and that source port to a member's port; checksums of IPv4 are left to the kernel."""
    size = 8 + len(payload)
    ends = ip_address(source).packed, ip_address(target).packed
    header = pack("!HHHH", port, MEMBER_PORT, size, 0)
    if len(ends[0]) == 4:
        return pack("!BBHHHBBH", 0x45, 0, 20 + size, 0, 0, 64, 17, 0) + ends[0] + ends[1] + header + payload
    pseudo = ends[0] + ends[1] + pack("!II", size, 17) + header + payload
    total = int.from_bytes(pseudo + bytes(len(pseudo) % 2)) % 0xFFFF
    header = pack("!HHHH", port, MEMBER_PORT, size, (0xFFFF - total) or 0xFFFF)
    return pack("!IHBB", 6 << 28, size, 17, 64) + ends[0] + ends[1] + header + payload


def port_unreachable(router: str, target: str, peer: str, port: int) -> bytes:
    """An ICMP error to `target` about a datagram that it would have sent from `port` to a member at `peer`."""
    quote = pack("!BBHHHBBH", 0x45, 0, 92, 0, 0, 64, 17, 0) + ip_address(target).packed + ip_address(peer).packed
    body = bytes(4) + quote + pack("!HHHH", port, MEMBER_PORT, 72, 0)
    total = int.from_bytes(pack("!BB", 3, 3) + bytes(2) + body) % 0xFFFF
    message = pack("!BBH", 3, 3, 0xFFFF - total) + body
    outer = pack("!BBHHHBBH", 0x45, 0, 20 + len(message), 0, 0, 64, 1, 0)
    return outer + ip_address(router).packed + ip_address(target).packed + message


def forged_probe(member: Member, ring: Keyring = STRANGER, version: int = 3) -> bytes:
    """A probe that pretends to be that member's."""
    frame = Sender(WireIdentity.of(member), 1).probe(ring, 1, 0, 8, 64)
    return frame[:2] + bytes((version, DatagramType.PROBE)) + frame[4:]


def send_packets(target: str, make: Callable[[int], bytes], rate: int, seconds: float, distinct: int = 2000) -> int:
    """Send at most `rate` packets a second to an address, `distinct` ones made by `make` of their number, in turns;
    return how many went out."""
    version = ip_address(target).version
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    packets = [make(number) for number in range(distinct)]
    random.Random(1).shuffle(packets)
    with socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        raw.setsockopt(*_IP_HDRINCL[version], 1)
        begun, sent = time.monotonic(), 0
        while (elapsed := time.monotonic() - begun) < seconds:
            while sent < rate * elapsed:
                raw.sendto(packets[sent % len(packets)], (target, 0))
                sent += 1
            time.sleep(_TICK)
    return sent
