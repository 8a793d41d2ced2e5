"""Pings any number of targets over one socket of each family and measures by the kernel's stamps."""

from __future__ import annotations

import secrets

from kubesonar.core.address import canonical_address, family_of
from kubesonar.model import Fault
from kubesonar.net.deadline import Deadline
from kubesonar.net.epoll import Epoll
from kubesonar.net.errno_faults import fault_of
from kubesonar.net.icmp.echo import EchoResult, PendingEcho
from kubesonar.net.icmp.echo_socket import IcmpSocket
from kubesonar.net.icmp.packet import request
from kubesonar.net.kernel.queue_drops import queue_drops

ROTATION = 60.0
"""Seconds for which one identifier is used. A fixed one may hit a dead conntrack entry for ever. With less than 30 s,
the lifetime of an entry for ICMP (net.netfilter.nf_conntrack_icmp_timeout), more than two exist for each target."""

NOT_PERMITTED = (
    "ping needs the capability NET_RAW, or a group within the sysctl net.ipv4.ping_group_range (a safe one for a pod)"
)


class Pinger:
    """Sends echo requests. The sockets are opened with the first request.

    Use it on one running event loop and `close` it.
    """

    def __init__(self, rotation: float = ROTATION) -> None:
        self._rotation = rotation
        self._sockets: dict[int, IcmpSocket] = {}
        self._open: set[IcmpSocket] = set()
        self._epoll: Epoll | None = None
        self._dropped = 0

    @property
    def lost(self) -> int:
        """Packets that the kernel dropped so far, as this process did not read them in time; replies among them."""
        return self._dropped + sum(queue_drops(entry.socket) for entry in self._open)

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
                entry.read()  # replies that came while this process was kept from running
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
        self._sockets.clear()
        for entry in list(self._open):
            self._close(entry)

    def _socket(self, family: int, deadline: Deadline) -> IcmpSocket:
        """Return the socket in use, a new one where it was used for long enough."""
        current = self._sockets.get(family)
        if current is not None and deadline.start - current.opened < self._rotation:
            return current
        self._epoll = Epoll.of(deadline.loop)
        fresh = self._sockets[family] = IcmpSocket(family, 1 + secrets.randbelow(0xFFFF), deadline.start)
        self._open.add(fresh)
        self._epoll.watch(fresh.socket.fileno(), fresh.ready, at_once=not fresh.errors.stamped)
        if current is not None:
            self._retire(current)
        return fresh

    def _retire(self, entry: IcmpSocket) -> None:
        """Close a socket that was replaced, once nobody waits for a reply on it."""
        if entry in self._open and not entry.pending and self._sockets.get(entry.family) is not entry:
            self._close(entry)

    def _close(self, entry: IcmpSocket) -> None:
        assert self._epoll is not None
        self._open.remove(entry)
        self._dropped += queue_drops(entry.socket)
        self._epoll.drop(entry.socket.fileno())
        entry.socket.close()


def _failed(fault: Fault, detail: str) -> EchoResult:
    return EchoResult(fault=fault, detail=detail)
