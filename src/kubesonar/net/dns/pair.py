"""Two questions at once from one socket, as a resolver asks for A and AAAA.

Through a virtual address both race for one conntrack entry, and the loser's packet may be dropped
(https://github.com/kubernetes/kubernetes/issues/56903). Questions from sockets of their own never show it.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import msgspec

from kubesonar.core.address import family_of
from kubesonar.model import Fault
from kubesonar.net.address_families import ADDRESS_FAMILY
from kubesonar.net.deadline import Deadline
from kubesonar.net.dns.transport import WIRE_LIMIT
from kubesonar.net.epoll import Epoll
from kubesonar.net.errno_faults import fault_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kubesonar.net.clock import Clock
    from kubesonar.net.dns.transport import DnsServer

_READ_LIMIT = 16
"""Datagrams read for one pair. Lower: a duplicate ends it; higher: a flood holds up the event loop."""


class PairReply(msgspec.Struct, frozen=True):
    """The answers to a pair by their place in it, None where none came in time; `fault` says why where both are
    missing. `took` is the time (s) to the later of the answers that came."""

    wires: tuple[bytes | None, bytes | None]
    took: float = 0.0
    fault: Fault | None = None
    detail: str = ""


async def ask_pair(server: DnsServer, wires: tuple[bytes, bytes], timeout: float, clock: Clock) -> PairReply:
    """Send both messages, whose ids differ, from one connected socket and return what came within `timeout` seconds. A
    failure is in the reply."""
    with Deadline(timeout, clock) as deadline:
        try:
            with socket.socket(ADDRESS_FAMILY[family_of(server.address)], socket.SOCK_DGRAM) as sock:
                return await _asked(sock, server, wires, deadline)
        except OSError as error:
            fault, detail = fault_of(error)
            return PairReply((None, None), deadline.elapsed, fault, detail)


async def _asked(sock: socket.socket, server: DnsServer, wires: tuple[bytes, bytes], deadline: Deadline) -> PairReply:
    """Raises OSError, also for an ICMP error."""
    found: dict[bytes, bytes] = {}
    epoll, took, left = Epoll.of(deadline.loop), 0.0, _READ_LIMIT
    sock.setblocking(False)
    handler = epoll.add(sock.fileno())
    try:
        sock.connect((server.address, server.port))
        for wire in wires:
            sock.send(wire)
        while len(found) < len(wires) and left and await handler.event(deadline):
            left -= _read(sock, [wire[:2] for wire in wires], found, left)
            took = deadline.elapsed
    finally:
        epoll.drop(sock.fileno())
    failed = None if found else deadline.passed()
    return PairReply(
        (found.get(wires[0][:2]), found.get(wires[1][:2])),
        took,
        failed.fault if failed else None,
        failed.detail if failed else "",
    )


def _read(sock: socket.socket, ids: Sequence[bytes], found: dict[bytes, bytes], most: int) -> int:
    """Read what lies there, at most `most` datagrams, and keep the answers with these ids; return how many were read.
    Raises OSError for an ICMP error."""
    for count in range(most):
        try:
            wire = sock.recv(WIRE_LIMIT)
        except BlockingIOError:
            return count
        if wire[:2] in ids:
            found[wire[:2]] = wire
    return most
