"""Sockets for datagrams: a pool of source ports, with the kernel's stamps and errors switched on."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator

from kubesonar.net import cmsg
from kubesonar.net.address_families import ADDRESS_FAMILY
from kubesonar.net.udp.train import SentTrain

_STAMPS_AWAITED = 64


class PoolSocket:
    """One source port. The kernel numbers what this socket sends (OPT_ID, from 0), and puts a stamp with that number
    into the error queue; `awaiting` says which datagram a number was."""

    def __init__(self, family: int, *, whole: bool) -> None:
        self.family = family
        self.socket = socket.socket(ADDRESS_FAMILY[family], socket.SOCK_DGRAM)
        try:
            self.socket.setblocking(False)
            self._errors_on(whole)
            self.socket.bind(("", 0))
        except OSError:
            self.socket.close()
            raise
        self.port: int = self.socket.getsockname()[1]
        self.awaiting: dict[int, tuple[SentTrain, int]] = {}
        self._next = 0
        self.restamp()

    def _errors_on(self, whole: bool) -> None:
        """ICMP errors into the error queue; `whole`: never fragment and believe no cached path MTU."""
        if self.family == 4:
            self.socket.setsockopt(socket.IPPROTO_IP, cmsg.IP_RECVERR, 1)
            if whole:
                self.socket.setsockopt(socket.IPPROTO_IP, cmsg.IP_MTU_DISCOVER, cmsg.PMTUDISC_PROBE)
            return
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        self.socket.setsockopt(socket.IPPROTO_IPV6, cmsg.IPV6_RECVERR, 1)
        if whole:
            self.socket.setsockopt(socket.IPPROTO_IPV6, cmsg.IPV6_MTU_DISCOVER, cmsg.PMTUDISC_PROBE)
            self.socket.setsockopt(socket.IPPROTO_IPV6, cmsg.IPV6_DONTFRAG, 1)

    def restamp(self) -> None:
        """Numbers what is sent from 0 again: after a failed send one cannot know whether the kernel counted it."""
        cmsg.stamps_on(self.socket, cmsg.RX_STAMPS)
        cmsg.stamps_on(self.socket, cmsg.BOTH_STAMPS)
        self.awaiting.clear()
        self._next = 0

    def sent(self, train: SentTrain, sequence: int) -> None:
        """Says which datagram was handed to the kernel just now."""
        self.awaiting[self._next] = (train, sequence)
        self._next = self._next + 1 & 0xFFFFFFFF
        if len(self.awaiting) > _STAMPS_AWAITED:
            del self.awaiting[next(iter(self.awaiting))]


class Pool:
    """`size` source ports of one family, in an edge-triggered epoll that the event loop watches (a loop on libuv stops
    watching a socket at its first POLLERR, but not an epoll that holds it). `rotate` replaces one port; the one
    replaced is kept until the next time, for what is still on the way to it."""

    EVENTS = select.EPOLLIN | select.EPOLLERR | select.EPOLLET

    def __init__(self, family: int, size: int, epoll: select.epoll, *, whole: bool = False) -> None:
        self._family = family
        self._epoll = epoll
        self._whole = whole
        self._retired: PoolSocket | None = None
        self._oldest = self._turn = 0
        self.by_fd: dict[int, PoolSocket] = {}
        self._sockets: list[PoolSocket] = []
        try:
            for _ in range(size):
                self._sockets.append(self._open())
        except OSError:
            self.close()
            raise

    def __iter__(self) -> Iterator[PoolSocket]:
        return iter(self.by_fd.values())

    def take(self, count: int) -> list[PoolSocket]:
        """The next `count` sockets in turn."""
        size = len(self._sockets)
        first, self._turn = self._turn, (self._turn + count) % size
        return [self._sockets[(first + offset) % size] for offset in range(count)]

    def rotate(self) -> None:
        """Replaces the oldest source port. Keeps it when there is no new one to be had."""
        fresh = self._open()
        if self._retired:
            self._shut(self._retired)
        self._retired = self._sockets[self._oldest]
        self._sockets[self._oldest] = fresh
        self._oldest = (self._oldest + 1) % len(self._sockets)

    def close(self) -> None:
        """Closes every socket."""
        for entry in list(self.by_fd.values()):
            self._shut(entry)

    def _open(self) -> PoolSocket:
        entry = PoolSocket(self._family, whole=self._whole)
        try:
            self._epoll.register(entry.socket.fileno(), self.EVENTS)
        except OSError:
            entry.socket.close()
            raise
        self.by_fd[entry.socket.fileno()] = entry
        return entry

    def _shut(self, entry: PoolSocket) -> None:
        self._epoll.unregister(entry.socket.fileno())
        del self.by_fd[entry.socket.fileno()]
        entry.socket.close()
