"""The UDP responder that every member runs. Answers are no longer than requests, and rates are limited.

What is not signed uses nothing that members need: it waits in a buffer of its own (`shared_port`), of which a bounded
number is read a second, and rates are limited only after signature and replay were checked.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress

from kubesonar.core.address import family_of
from kubesonar.core.wire import codec
from kubesonar.core.wire.codec import Datagram, DatagramType, Keyring, Refusal
from kubesonar.core.wire.identity import WireIdentity
from kubesonar.core.wire.replay_window import ReplayGuard
from kubesonar.net import cmsg
from kubesonar.net.address_families import ADDRESS_FAMILY
from kubesonar.net.queue_drops import queue_drops
from kubesonar.net.udp.shared_port import share_port, sort_by_cookie
from kubesonar.net.udp.token_bucket import RateLimits, TokenBuckets
from kubesonar.net.udp.train_records import TRAIN_GAP, OpenTrains, TrainRecord

HELD = 500_000_000
"""Time after which an answer does not count as given (ns). The process was not running, and the asking member may have
given up, so that a missing answer there says nothing about the way back."""

_BATCH = 64
"""Datagrams taken from one socket before others have their turn."""

_ROOM = codec.MAX_DATAGRAM + 1
_SWEEP = TRAIN_GAP / 4
"""Seconds between two looks for trains that are over."""

_BUFFER = 1 << 20
"""Receive buffer asked for (bytes, cut to net.core.rmem_max). Datagrams beyond are lost while the loop is busy."""

_OTHERS_BUFFER = 1 << 17
"""The same for datagrams without a cookie: members that know none (version 2 before cookies) send trains too."""

_OTHERS_PAUSE = 0.02
"""Seconds between two batches of datagrams without a cookie. Shorter, and a flood of them costs more CPU; longer, and
trains of members that know no cookie wait longer."""

_COOKIELESS = 60.0
"""Seconds after a signed datagram without a cookie in which the loss of such counts as the loss of a member's."""


class UdpResponder:
    """Answers probes on `port` of each of `addresses`. Make it on the running event loop and `close` it.

    Addresses are IP addresses; "0.0.0.0" and "::" answer from the address that was asked. A port of 0 takes a free one,
    the same for all addresses. `me` returns who this member is, and `ring` the keys in force; `publish` gets the record
    of each train; `speak` is the newest wire version understood. `messages`, if given, gets each new message for this
    member, and each MISMATCH that says that it came from it, with the address and port it came from.

    `counters` has "received", "answered", "held" (answers too late to count, `HELD`), "messages", "sent" (messages) and
    drops by reason: `codec.Refusal`, "rate", "total_rate", "replay", "answer" (no request), "misdelivered" (a message
    for another member), "send", "receive", "overflow" (the kernel's, of members' datagrams), "unread" (the kernel's, of
    those without a cookie). Raises OSError where an address cannot be bound.
    """

    def __init__(
        self,
        addresses: Iterable[str],
        port: int,
        *,
        me: Callable[[], WireIdentity],
        ring: Callable[[], Keyring],
        publish: Callable[[TrainRecord], None],
        messages: Callable[[Datagram, str, int], None] | None = None,
        speak: int = codec.CURRENT,
        limits: RateLimits | None = None,
    ) -> None:
        limits = limits or RateLimits()
        self.counters: Counter[str] = Counter()
        self.port = port
        self._me = me
        self._ring = ring
        self._speak = speak
        self._messages = messages
        self._trains = OpenTrains(publish)
        self._guard = ReplayGuard(limits.addresses)
        self._buckets = TokenBuckets(limits.rate, limits.burst, limits.addresses)
        self._total = TokenBuckets(limits.total_rate, limits.total_burst, 1)
        self._mismatches = TokenBuckets(limits.mismatch_rate, limits.mismatch_burst, limits.addresses)
        self._room = bytearray(_ROOM)
        self._loop = asyncio.get_running_loop()
        self._sweeper: asyncio.TimerHandle | None = None
        self._sockets: list[socket.socket] = []
        self._others: dict[socket.socket, asyncio.TimerHandle | None] = {}
        """The sockets for datagrams without a cookie, and until when each is not read."""
        self._sorted_by = ring()
        self._cookieless = float("-inf")
        self._drops: dict[socket.socket, int] = {}
        try:
            for address in addresses:
                self._listen(address)
        except OSError:
            self.close()
            raise

    def send(self, data: bytes, address: str, port: int) -> bool:
        """Send a message from the port that answers probes; return whether the kernel took it.

        A full buffer or an unreachable network is counted and raises nothing: messages may be lost anyway.
        """
        family = ADDRESS_FAMILY[family_of(address)]
        sender = next((sender for sender in self._sockets if sender.family == family), None)
        try:
            if sender is None:
                raise OSError(f"no socket of the family of {address}")
            sender.sendto(data, (address, port))
        except OSError:
            self.counters["send"] += 1
            return False
        self.counters["sent"] += 1
        return True

    def lost(self) -> int:
        """Return how many datagrams of members were dropped here so far, so that their loss is not the network's.

        Takes into account what the kernel dropped since the last call.
        """
        for endpoint in self._sockets:
            self.counters["overflow"] += self._dropped(endpoint)
        unread = sum(self._dropped(endpoint) for endpoint in self._others)
        self.counters["unread"] += unread
        if time.monotonic() - self._cookieless < _COOKIELESS:
            self.counters["overflow"] += unread
        return sum(self.counters[what] for what in ("overflow", "rate", "total_rate"))

    def close(self) -> None:
        """Publish the open trains and close the sockets."""
        if self._sweeper:
            self._sweeper.cancel()
            self._sweeper = None
        for pause in self._others.values():
            if pause:
                pause.cancel()
        for endpoint in (*self._sockets, *self._others):
            self._loop.remove_reader(endpoint.fileno())
            endpoint.close()
        self._sockets.clear()
        self._others.clear()
        self._trains.flush()

    def _listen(self, address: str) -> None:
        listener = _open(address, _BUFFER)
        self._sockets.append(listener)
        listener.bind((address, self.port))
        self.port = listener.getsockname()[1]
        self._loop.add_reader(listener.fileno(), self._read, listener)
        others = _open(address, _OTHERS_BUFFER)
        try:
            share_port(listener, others, address, self._sorted_by)
        except OSError:
            others.close()  # then `listener` gets everything
        else:
            self._others[others] = None
            self._loop.add_reader(others.fileno(), self._read_others, others)

    def _read(self, listener: socket.socket) -> None:
        """Take at most a batch, so that a flood cannot keep the loop; the loop calls again for the rest."""
        for _ in range(_BATCH):
            try:
                size, ancillary, flags, peer = listener.recvmsg_into([self._room], cmsg.ANCILLARY)
            except BlockingIOError:
                return
            except OSError:
                self.counters["receive"] += 1
                return
            self._take(listener, size, ancillary, flags, peer)

    def _read_others(self, others: socket.socket) -> None:
        """Take at most a batch of those without a cookie, and then none for a while."""
        self._read(others)
        self._loop.remove_reader(others.fileno())
        self._others[others] = self._loop.call_later(_OTHERS_PAUSE, self._resume, others)

    def _resume(self, others: socket.socket) -> None:
        self._others[others] = None
        self._loop.add_reader(others.fileno(), self._read_others, others)

    def _take(
        self, listener: socket.socket, size: int, ancillary: cmsg.Ancillary, flags: int, peer: tuple[str, int]
    ) -> None:
        self.counters["received"] += 1
        if flags & socket.MSG_TRUNC:
            self.counters[Refusal.LONG] += 1
        else:
            self._dispatch(listener, memoryview(self._room)[:size], ancillary, peer, time.monotonic())

    def _dispatch(
        self,
        listener: socket.socket,
        data: memoryview,
        ancillary: cmsg.Ancillary,
        peer: tuple[str, int],
        now: float,
    ) -> None:
        ring = self._ring()
        if ring is not self._sorted_by:
            self._sort(ring)
        request = codec.decode(data, ring, self._speak)
        if isinstance(request, Refusal):
            self.counters[request] += 1
            if request in (Refusal.VERSION, Refusal.KEY) and self._mismatches.take(peer[0], now):
                notice = codec.mismatch(data, self._speak)
                if notice:
                    self._send(listener, notice, ancillary, peer)
        elif request.type is DatagramType.MISMATCH and self._messages is not None and request.source in self._me():
            self._messages(request, peer[0], peer[1])
        elif request.type not in (DatagramType.PROBE, DatagramType.MESSAGE):
            self.counters["answer"] += 1
        elif not self._guard.fresh(request.source, request.epoch, request.counter, now):
            self.counters["replay"] += 1
            self._trains.duplicate(request)
        elif self._admits(request, listener, peer[0], now):
            if request.type is DatagramType.MESSAGE:
                self._hand_over(request, peer)
            else:
                self._echo(listener, request, ring, ancillary, peer, now)

    def _sort(self, ring: Keyring) -> None:
        self._sorted_by = ring
        for listener in self._sockets if self._others else ():
            with suppress(OSError):  # as before where the kernel has no room: those with a new key are read later
                sort_by_cookie(listener, ring)

    def _admits(self, request: Datagram, listener: socket.socket, address: str, now: float) -> bool:
        """Return whether a new signed datagram is within the limits: first those of its sender, so that a member that
        sends too much does not use up the total. Without keys anybody can be any sender, so its address counts."""
        if listener in self._others:
            self._cookieless = now
        if not self._buckets.take(request.source if request.key else address, now):
            self.counters["rate"] += 1
        elif not self._total.take("", now):
            self.counters["total_rate"] += 1
        else:
            return True
        return False

    def _dropped(self, endpoint: socket.socket) -> int:
        """Return how many datagrams the kernel dropped at this socket since the last call."""
        before, self._drops[endpoint] = self._drops.get(endpoint, 0), queue_drops(endpoint)
        return (self._drops[endpoint] - before) & 0xFFFFFFFF

    def _hand_over(self, message: Datagram, peer: tuple[str, int]) -> None:
        if message.addressee not in self._me():
            self.counters["misdelivered"] += 1
        elif self._messages is not None:
            self.counters["messages"] += 1
            self._messages(message, peer[0], peer[1])

    def _echo(
        self,
        listener: socket.socket,
        probe: Datagram,
        ring: Keyring,
        ancillary: cmsg.Ancillary,
        peer: tuple[str, int],
        now: float,
    ) -> None:
        stamp = cmsg.received_at(ancillary) or time.time_ns()
        family = 6 if listener.family == socket.AF_INET6 else 4
        seen, gap = self._trains.add(probe, peer, family, stamp, now)
        hold = time.time_ns() - stamp
        answer = codec.echo(probe, self._me(), ring, hold=hold, seen=seen, gap=gap // 100)
        given = self._send(listener, answer, ancillary, peer)
        self.counters["held"] += hold > HELD
        self._trains.done(probe, given and hold <= HELD)
        if self._sweeper is None and len(self._trains):
            self._sweeper = self._loop.call_later(_SWEEP, self._sweep)

    def _send(self, listener: socket.socket, answer: bytes, ancillary: cmsg.Ancillary, peer: tuple[str, int]) -> bool:
        try:
            listener.sendmsg([answer], _reply_from(ancillary), 0, peer)
        except OSError:
            self.counters["send"] += 1
            return False
        self.counters["answered"] += 1
        return True

    def _sweep(self) -> None:
        self._trains.sweep(time.monotonic())
        self._sweeper = self._loop.call_later(_SWEEP, self._sweep) if len(self._trains) else None


def _open(address: str, buffer: int) -> socket.socket:
    """Return a socket that is ready to be bound to this address."""
    family = ADDRESS_FAMILY[family_of(address)]
    endpoint = socket.socket(family, socket.SOCK_DGRAM)
    try:
        endpoint.setblocking(False)
        endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        cmsg.stamps_on(endpoint, cmsg.RX_STAMPS)
        if family == socket.AF_INET6:
            endpoint.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if address in ("0.0.0.0", "::"):
            _report_destination(endpoint)
    except OSError:
        endpoint.close()
        raise
    return endpoint


def _report_destination(listener: socket.socket) -> None:
    """Make the kernel report the own address that a datagram came to, so that the answer can come from it."""
    if listener.family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    else:
        listener.setsockopt(socket.IPPROTO_IP, cmsg.IP_PKTINFO, 1)


def _reply_from(ancillary: cmsg.Ancillary) -> cmsg.Ancillary:
    """Return the control message that sends from the address that was asked.

    Routing chooses the interface (index 0), except for link-local addresses, which need one.
    """
    for level, kind, data in ancillary:
        if level == socket.IPPROTO_IP and kind == cmsg.IP_PKTINFO:
            return [(level, kind, bytes(4) + data[4:8] + bytes(4))]  # struct in_pktinfo: ifindex, spec_dst, addr
        if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO:
            index = data[16:20] if data[0] == 0xFE and data[1] & 0xC0 == 0x80 else bytes(4)
            return [(level, kind, data[:16] + index)]  # struct in6_pktinfo: addr, ifindex
    return []
