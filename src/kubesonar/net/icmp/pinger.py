"""ICMP echo to any number of targets over one socket a family, by the kernel's stamps."""

from __future__ import annotations

import asyncio
import os
import secrets
import select
import socket
import time

import msgspec

from kubesonar.model import Fault, StampSource
from kubesonar.net import cmsg
from kubesonar.net.cmsg import NetError
from kubesonar.net.deadline import Deadline, wake
from kubesonar.net.errno_faults import fault_of
from kubesonar.net.icmp.echo_socket import IcmpSocket
from kubesonar.net.icmp.packet import EchoReply, Error, read_packet, request, without_ip_header

ROTATION = 60.0
"""An identifier is used for so long (s): a fixed one can meet one dead conntrack entry for ever, and an entry for ICMP
lives 30 s (net.netfilter.nf_conntrack_icmp_timeout), so that we hold at most two towards one target."""

NOT_PERMITTED = (
    "ping needs the capability NET_RAW, or a group within the sysctl net.ipv4.ping_group_range (a safe one for a pod)"
)

NONCE = 16
"""Random bytes in each request, so that nobody can answer who did not get it; the least payload."""

_BATCH = 256
_ROOM = 2048
_EVENTS = select.EPOLLIN | select.EPOLLERR | select.EPOLLET


class Echo(msgspec.Struct, frozen=True):
    """What came of one request: a round trip (s) by `clock`, or a fault."""

    rtt: float = 0.0
    clock: StampSource = StampSource.USER
    fault: Fault | None = None
    detail: str = ""


class EchoResult:
    """One request on its way. `left` and `arrived` are the kernel's stamps (ns of the wall clock), where it gave them;
    `began` and `ended` (monotonic) and `wall` ours."""

    def __init__(self, address: str, size: int, waiter: asyncio.Future[bool]) -> None:
        self.address = address
        self.payload = secrets.token_bytes(NONCE) + bytes(size - NONCE)
        self.left: int | None = None
        self.arrived: int | None = None
        self.began = self.ended = self.wall = 0
        self.fault: tuple[Fault, str] | None = None
        self.waiter = waiter

    def answered(self, stamp: int | None) -> None:
        """Its reply is here."""
        self.ended, self.arrived = time.monotonic_ns(), stamp
        wake(self.waiter)

    def reported(self, error: NetError) -> None:
        """The kernel says that it failed; see `refused`."""
        fault, words = fault_of(OSError(error.errno, ""))
        if not error.local and fault is not Fault.TOO_BIG:
            fault, words = Fault.UNREACHABLE, os.strerror(error.errno).lower()
        self.refused(fault, words, error.by)

    def refused(self, fault: Fault, words: str, by: str) -> None:
        """Somebody on the way says that it cannot arrive."""
        self.fault = fault, f"{words}, says {by}" if by else words
        wake(self.waiter)

    def echo(self) -> Echo:
        """The round trip, by the kernel's clock where that stamped both ends."""
        if self.arrived and self.left and self.arrived > self.left:
            return Echo((self.arrived - self.left) / 1e9, StampSource.KERNEL)
        if self.arrived and self.arrived > self.wall:
            return Echo((self.arrived - self.wall) / 1e9)
        return Echo((self.ended - self.began) / 1e9)


class Pinger:
    """Sends echo requests; its sockets are opened at the first. Use it on one running event loop; `close` it."""

    def __init__(self, rotation: float = ROTATION) -> None:
        self._rotation = rotation
        self._sockets: dict[int, IcmpSocket] = {}
        self._by_number: dict[int, IcmpSocket] = {}
        self._epoll: select.epoll | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def ping(self, address: str, deadline: Deadline, size: int = 56) -> Echo:
        """Asks an IP literal once, with `size` bytes of payload (at least `NONCE`), and waits for the answer. What goes
        wrong is in the result."""
        family = 6 if ":" in address else 4
        try:
            entry = self._socket(family, deadline)
            sequence = entry.sequence()
        except PermissionError:
            return Echo(fault=Fault.NOT_PERMITTED, detail=NOT_PERMITTED)
        except OSError as error:
            return _failed(*fault_of(error))
        ping = entry.pending[sequence] = EchoResult(_canonical(address), size, deadline.wait())
        try:
            self._send(entry, address, sequence, ping)
            if not await ping.waiter and not ping.ended and not ping.fault:
                self._ready()  # what came while we were kept from running
        except OSError as error:
            return _failed(*fault_of(error))
        finally:
            del entry.pending[sequence]
            self._retire(entry)
        if ping.ended:
            return ping.echo()
        if ping.fault:
            return _failed(*ping.fault)
        passed = deadline.passed("waiting for the echo")
        return _failed(passed.fault, passed.detail)

    def close(self) -> None:
        """Closes every socket."""
        for entry in self._by_number.values():
            entry.socket.close()
        self._by_number.clear()
        self._sockets.clear()
        if self._epoll is not None and self._loop is not None:
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()
            self._epoll = None

    def _socket(self, family: int, deadline: Deadline) -> IcmpSocket:
        """The one in use; a new one where it has been long enough."""
        current = self._sockets.get(family)
        if current is not None and deadline.start - current.opened < self._rotation:
            return current
        if self._epoll is None:
            # Own and edge-triggered: a loop on libuv stops watching a socket at its first POLLERR.
            self._epoll, self._loop = select.epoll(), deadline.loop
            deadline.loop.add_reader(self._epoll.fileno(), self._ready)
        fresh = IcmpSocket(family, 1 + secrets.randbelow(0xFFFF), deadline.start)
        self._sockets[family] = self._by_number[fresh.socket.fileno()] = fresh
        self._epoll.register(fresh.socket.fileno(), _EVENTS)
        if current is not None:
            self._retire(current)
        return fresh

    def _retire(self, entry: IcmpSocket) -> None:
        """Closes a socket that was replaced, as soon as nothing is on its way to it."""
        number = entry.socket.fileno()
        if entry.pending or number < 0 or self._sockets.get(entry.family) is entry:
            return
        del self._by_number[number]
        entry.socket.close()

    def _send(self, entry: IcmpSocket, address: str, sequence: int, ping: EchoResult) -> None:
        packet = request(entry.family, entry.identifier, sequence, ping.payload)
        try:
            ping.wall, ping.began = time.time_ns(), time.monotonic_ns()
            entry.socket.sendto(packet, (address, 0))
        except OSError:
            # An error that an earlier request met is reported by whichever call comes next (ip(7)).
            entry.read_errors()
            entry.restamp()
            ping.wall, ping.began = time.time_ns(), time.monotonic_ns()
            entry.socket.sendto(packet, (address, 0))
        entry.sent(ping)
        entry.read_error()

    def _ready(self) -> None:
        if self._epoll is None:
            return
        for number, events in self._epoll.poll(0):
            entry = self._by_number.get(number)
            if entry is None:
                continue
            if events & select.EPOLLERR:
                entry.read_errors()
            if events & ~select.EPOLLERR and not _read_answers(entry):
                self._epoll.modify(number, _EVENTS)  # more to read, after the others had their turn


def _read_answers(entry: IcmpSocket) -> bool:
    """Reads until there is nothing more (True), or a batch is full."""
    for _ in range(_BATCH):
        try:
            data, ancillary, _, peer = entry.socket.recvmsg(_ROOM, cmsg.ANCILLARY)
        except BlockingIOError:
            return True
        except OSError:
            entry.read_errors()  # an ICMP error, reported once; the answers behind it are still there
            continue
        if entry.raw and entry.family == 4:
            data = without_ip_header(data)
        _take(entry, read_packet(entry.family, data, entry.identifier), ancillary, peer[0].partition("%")[0])
    return False


def _take(entry: IcmpSocket, found: EchoReply | Error | None, ancillary: cmsg.Ancillary, peer: str) -> None:
    """Believes a reply from whom we asked, with what we sent; an error about a packet that we sent to there."""
    ping = entry.pending.get(found.sequence) if found else None
    if ping is None or ping.ended:
        return
    if isinstance(found, EchoReply):
        if peer == ping.address and found.payload == ping.payload:
            ping.answered(cmsg.received_at(ancillary))
    elif found and found.destination == ping.address:
        ping.refused(Fault.TOO_BIG if found.too_big else Fault.UNREACHABLE, found.words, peer)


def _canonical(address: str) -> str:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.inet_ntop(family, socket.inet_pton(family, address.partition("%")[0]))


def _failed(fault: Fault, detail: str) -> Echo:
    return Echo(fault=fault, detail=detail)
