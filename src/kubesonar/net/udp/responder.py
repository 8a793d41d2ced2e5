"""The UDP responder that every member runs. Answers are no longer than requests, and rates are limited."""

from __future__ import annotations

import asyncio
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable

from kubesonar.core.address import family_of
from kubesonar.core.wire import codec
from kubesonar.core.wire.codec import Datagram, DatagramType, Keyring, Refusal
from kubesonar.core.wire.identity import WireIdentity
from kubesonar.core.wire.replay_window import ReplayGuard
from kubesonar.net import cmsg
from kubesonar.net.address_families import ADDRESS_FAMILY
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


class UdpResponder:
    """Answers probes on `port` of each of `addresses`. Make it on the running event loop and `close` it.

    Addresses are IP addresses; "0.0.0.0" and "::" answer from the address that was asked. A port of 0 takes a free one,
    the same for all addresses. `me` returns who this member is, and `ring` the keys in force; `publish` gets the record
    of each train; `speak` is the newest wire version understood. `messages`, if given, gets each new message for this
    member, and each MISMATCH that says that it came from it, with the address and port it came from.

    `counters` has "received", "answered", "held" (answers too late to count, `HELD`), "messages", "sent" (messages) and
    drops by reason: `codec.Refusal`, "rate", "total_rate", "replay", "answer" (no request), "misdelivered" (a message
    for another member), "send", "receive". Raises OSError where an address cannot be bound.
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

    def close(self) -> None:
        """Publish the open trains and close the sockets."""
        if self._sweeper:
            self._sweeper.cancel()
            self._sweeper = None
        for listener in self._sockets:
            self._loop.remove_reader(listener.fileno())
            listener.close()
        self._sockets.clear()
        self._trains.flush()

    def _listen(self, address: str) -> None:
        family = ADDRESS_FAMILY[family_of(address)]
        listener = socket.socket(family, socket.SOCK_DGRAM)
        self._sockets.append(listener)
        listener.setblocking(False)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        cmsg.stamps_on(listener, cmsg.RX_STAMPS)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if address in ("0.0.0.0", "::"):
            _report_destination(listener)
        listener.bind((address, self.port))
        self.port = listener.getsockname()[1]
        self._loop.add_reader(listener.fileno(), self._ready, listener)

    def _ready(self, listener: socket.socket) -> None:
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

    def _take(
        self, listener: socket.socket, size: int, ancillary: cmsg.Ancillary, flags: int, peer: tuple[str, int]
    ) -> None:
        now = time.monotonic()
        self.counters["received"] += 1
        if flags & socket.MSG_TRUNC:
            self.counters[Refusal.LONG] += 1
        elif not self._buckets.take(peer[0], now):  # first, so that one address that floods does not use up the total
            self.counters["rate"] += 1
        elif not self._total.take("", now):
            self.counters["total_rate"] += 1
        else:
            self._dispatch(listener, memoryview(self._room)[:size], ancillary, peer, now)

    def _dispatch(
        self,
        listener: socket.socket,
        data: memoryview,
        ancillary: cmsg.Ancillary,
        peer: tuple[str, int],
        now: float,
    ) -> None:
        ring = self._ring()
        probe = codec.decode(data, ring, self._speak)
        if isinstance(probe, Refusal):
            self.counters[probe] += 1
            if probe in (Refusal.VERSION, Refusal.KEY) and self._mismatches.take(peer[0], now):
                notice = codec.mismatch(data, self._speak)
                if notice:
                    self._send(listener, notice, ancillary, peer)
        elif probe.type is DatagramType.MESSAGE:
            self._hand_over(probe, peer, now)
        elif probe.type is DatagramType.MISMATCH and self._messages is not None and probe.source in self._me():
            self._messages(probe, peer[0], peer[1])
        elif probe.type is not DatagramType.PROBE:
            self.counters["answer"] += 1
        elif not self._guard.fresh(probe.source, probe.epoch, probe.counter, now):
            self.counters["replay"] += 1
            self._trains.duplicate(probe)
        else:
            self._echo(listener, probe, ring, ancillary, peer, now)

    def _hand_over(self, message: Datagram, peer: tuple[str, int], now: float) -> None:
        if not self._guard.fresh(message.source, message.epoch, message.counter, now):
            self.counters["replay"] += 1
        elif message.addressee not in self._me():
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
