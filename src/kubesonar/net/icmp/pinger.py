"""Pings any number of targets over one socket of each family and measures by the kernel's stamps."""

from __future__ import annotations

import asyncio
import secrets
import select

from kubesonar.core.address import canonical_address, family_of
from kubesonar.model import Fault
from kubesonar.net import cmsg
from kubesonar.net.deadline import Deadline
from kubesonar.net.errno_faults import fault_of
from kubesonar.net.icmp.echo import EchoResult, PendingEcho
from kubesonar.net.icmp.echo_socket import IcmpSocket
from kubesonar.net.icmp.packet import EchoReply, IcmpError, read_packet, request, without_ip_header

ROTATION = 60.0
"""Seconds for which one identifier is used. A fixed one may hit a dead conntrack entry for ever. With less than 30 s,
the lifetime of an entry for ICMP (net.netfilter.nf_conntrack_icmp_timeout), more than two exist for each target."""

NOT_PERMITTED = (
    "ping needs the capability NET_RAW, or a group within the sysctl net.ipv4.ping_group_range (a safe one for a pod)"
)

_BATCH = 256
"""Packets read from one socket before the others have their turn."""

_ROOM = 2048
"""Bytes read of one packet."""

_EVENTS = select.EPOLLIN | select.EPOLLERR | select.EPOLLET


class Pinger:
    """Sends echo requests. The sockets are opened with the first request.

    Use it on one running event loop and `close` it.
    """

    def __init__(self, rotation: float = ROTATION) -> None:
        self._rotation = rotation
        self._sockets: dict[int, IcmpSocket] = {}
        self._by_number: dict[int, IcmpSocket] = {}
        self._epoll: select.epoll | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def ping(self, address: str, deadline: Deadline, size: int = 56) -> EchoResult:
        """Send one request with `size` bytes of payload (at least `echo.NONCE`) to an IP address; wait for the reply.

        Failures are in the result.
        """
        family = family_of(address)
        try:
            entry = self._socket(family, deadline)
            sequence = entry.sequence()
        except PermissionError:
            return EchoResult(fault=Fault.NOT_PERMITTED, detail=NOT_PERMITTED)
        except OSError as error:
            return _failed(*fault_of(error))
        ping = entry.pending[sequence] = PendingEcho(canonical_address(address), size, deadline.wait())
        try:
            entry.send(address, request(entry.family, entry.identifier, sequence, ping.payload), ping)
            if not await ping.waiter and not ping.ended and not ping.fault:
                self._ready()  # replies that came while this process was kept from running
        except OSError as error:
            return _failed(*fault_of(error))
        finally:
            del entry.pending[sequence]
            self._retire(entry)
        if ping.ended:
            return ping.result()
        if ping.fault:
            return _failed(*ping.fault)
        passed = deadline.passed("waiting for the echo")
        return _failed(passed.fault, passed.detail)

    def close(self) -> None:
        """Close every socket."""
        for entry in self._by_number.values():
            entry.socket.close()
        self._by_number.clear()
        self._sockets.clear()
        if self._epoll is not None and self._loop is not None:
            self._loop.remove_reader(self._epoll.fileno())
            self._epoll.close()
            self._epoll = None

    def _socket(self, family: int, deadline: Deadline) -> IcmpSocket:
        """Return the socket in use, a new one where it was used for long enough."""
        current = self._sockets.get(family)
        if current is not None and deadline.start - current.opened < self._rotation:
            return current
        if self._epoll is None:
            # Own and edge-triggered: an event loop on libuv stops watching a socket at its first POLLERR.
            self._epoll, self._loop = select.epoll(), deadline.loop
            deadline.loop.add_reader(self._epoll.fileno(), self._ready)
        fresh = IcmpSocket(family, 1 + secrets.randbelow(0xFFFF), deadline.start)
        self._sockets[family] = self._by_number[fresh.socket.fileno()] = fresh
        self._epoll.register(fresh.socket.fileno(), _EVENTS)
        if current is not None:
            self._retire(current)
        return fresh

    def _retire(self, entry: IcmpSocket) -> None:
        """Close a socket that was replaced, once nobody waits for a reply on it."""
        number = entry.socket.fileno()
        if entry.pending or number < 0 or self._sockets.get(entry.family) is entry:
            return
        del self._by_number[number]
        entry.socket.close()

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
    """Read what the socket holds; return False where a full batch may have left more."""
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


def _take(entry: IcmpSocket, found: EchoReply | IcmpError | None, ancillary: cmsg.Ancillary, peer: str) -> None:
    """Take a reply from the address that was asked if it holds the payload sent, and an error about such a request."""
    ping = entry.pending.get(found.sequence) if found else None
    if ping is None or ping.ended:
        return
    if isinstance(found, EchoReply):
        if peer == ping.address and found.payload == ping.payload:
            ping.answered(cmsg.received_at(ancillary))
    elif found and found.destination == ping.address:
        ping.refused(Fault.TOO_BIG if found.too_big else Fault.UNREACHABLE, found.words, peer)


def _failed(fault: Fault, detail: str) -> EchoResult:
    return EchoResult(fault=fault, detail=detail)
