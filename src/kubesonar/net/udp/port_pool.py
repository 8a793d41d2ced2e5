"""A pool of source ports for datagrams, with the kernel's stamps and errors switched on."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable, Iterator
from functools import partial

from kubesonar.net.address_families import ADDRESS_FAMILY
from kubesonar.net.epoll import Epoll
from kubesonar.net.kernel import cmsg
from kubesonar.net.kernel.error_queue import ErrorQueue
from kubesonar.net.kernel.queue_drops import queue_drops
from kubesonar.net.udp.train import SentTrain

_STAMPS_AWAITED = 64
"""Datagrams of one port whose transmit stamp may be missing; beyond, the oldest is measured by the process's clock."""

_BUFFER = 1 << 20
"""Receive buffer asked for (bytes, cut to net.core.rmem_max): smaller, and the answers to many targets, which wait for
the next tick, may not find room; the kernel takes memory only for what lies there."""

_LEFT = 64
"""Datagrams read of a port that is closed: more keep the loop from its tasks where somebody floods it."""


class PortSocket:
    """One source port. `errors` gives the transmit stamps of datagrams (train and sequence) and what failed."""

    def __init__(self, family: int) -> None:
        self.family = family
        self.socket = socket.socket(ADDRESS_FAMILY[family], socket.SOCK_DGRAM)
        try:
            self.socket.setblocking(False)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
            self._errors_on()
            self.socket.bind(("", 0))
        except OSError:
            self.socket.close()
            raise
        self.port: int = self.socket.getsockname()[1]
        self.errors: ErrorQueue[tuple[SentTrain, int]] = ErrorQueue(self.socket, _STAMPS_AWAITED)

    def _errors_on(self) -> None:
        """Send ICMP errors to the error queue, never fragment and believe no cached path MTU."""
        if self.family == 4:
            self.socket.setsockopt(socket.IPPROTO_IP, cmsg.IP_RECVERR, 1)
            self.socket.setsockopt(socket.IPPROTO_IP, cmsg.IP_MTU_DISCOVER, cmsg.PMTUDISC_PROBE)
            return
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        self.socket.setsockopt(socket.IPPROTO_IPV6, cmsg.IPV6_RECVERR, 1)
        self.socket.setsockopt(socket.IPPROTO_IPV6, cmsg.IPV6_MTU_DISCOVER, cmsg.PMTUDISC_PROBE)
        self.socket.setsockopt(socket.IPPROTO_IPV6, cmsg.IPV6_DONTFRAG, 1)


class PortPool:
    """`size` source ports of one family. `ready` gets a socket and its events, as `Epoll.watch` has it: at once or in
    ticks. Raises OSError."""

    def __init__(
        self, family: int, size: int, epoll: Epoll, ready: Callable[[PortSocket, int], bool], *, at_once: bool = False
    ) -> None:
        self._at_once = at_once
        self._family = family
        self._epoll = epoll
        self._ready = ready
        self._retired: list[PortSocket] = []
        self._dropped = 0
        self._oldest = self._turn = 0
        self._sockets: list[PortSocket] = []
        try:
            for _ in range(size):
                self._sockets.append(self._open())
        except OSError:
            self.close()
            raise

    def __iter__(self) -> Iterator[PortSocket]:
        return iter((*self._sockets, *self._retired))

    @property
    def dropped(self) -> int:
        """Datagrams that the kernel dropped so far at these ports, those replaced included."""
        return self._dropped + sum(queue_drops(entry.socket) for entry in self)

    def take(self, count: int) -> list[PortSocket]:
        """Return the next `count` sockets in turn."""
        size = len(self._sockets)
        first, self._turn = self._turn, (self._turn + count) % size
        return [self._sockets[(first + offset) % size] for offset in range(count)]

    def rotate(self) -> None:
        """Replace the oldest source port, and keep it open until the next time for answers on the way.

        Raises OSError where no new port can be opened; then the pool stays as it is.
        """
        fresh = self._open()
        for entry in self._retired:
            any(self._ready(entry, select.EPOLLIN) for _ in range(_LEFT))  # what lies there waits for the next tick
            self._shut(entry)
        self._retired = [self._sockets[self._oldest]]
        self._sockets[self._oldest] = fresh
        self._oldest = (self._oldest + 1) % len(self._sockets)

    def close(self) -> None:
        """Close every socket."""
        for entry in self:
            self._shut(entry)

    def _open(self) -> PortSocket:
        entry = PortSocket(self._family)
        try:
            ready = partial(self._ready, entry)
            self._epoll.watch(entry.socket.fileno(), ready, at_once=self._at_once or not entry.errors.stamped)
        except OSError:
            entry.socket.close()
            raise
        return entry

    def _shut(self, entry: PortSocket) -> None:
        self._dropped += queue_drops(entry.socket)
        self._epoll.drop(entry.socket.fileno())
        entry.socket.close()
