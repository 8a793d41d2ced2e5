"""The UDP responder that every member runs: checks, counts, answers; no use as an amplifier, and bounded."""

from __future__ import annotations

import asyncio
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterable

from kubesonar.core.address import family_of
from kubesonar.core.wire import codec
from kubesonar.core.wire.codec import Datagram, DatagramType, DecodeRefusal, Keyring, Reason
from kubesonar.core.wire.replay_window import ReplayGuard
from kubesonar.net import cmsg
from kubesonar.net.address_families import ADDRESS_FAMILY
from kubesonar.net.udp.token_bucket import Buckets, RateLimits
from kubesonar.net.udp.train_records import TRAIN_GAP, Arrivals, TrainRecord

HELD = 500_000_000
"""An answer held longer than this (ns) does not count as given: we were not running, and who asked may have given up,
so that its absence there says nothing about the way back."""

_BATCH = 64
_ROOM = codec.MAX_DATAGRAM + 1
_SWEEP = TRAIN_GAP / 4
_BUFFER = 1 << 20
"""Receive buffer asked for (bytes, cut to net.core.rmem_max): what waits while the loop is busy is not lost."""


class UdpResponder:
    """Answers probes on `port` of each of `addresses` (IP literals; "0.0.0.0" and "::" answer from the address asked).
    `source` is this member's `wire.identity`, `ring` gives the keys in force, `publish` gets the record of each train,
    `speak` is the newest wire version understood. A port of 0 takes a free one, the same for all addresses.

    `messages`, if given, gets each members' message that is for us and new, with the address and port it came from;
    `astray` the identity of whom one is for that is for somebody else.

    `counters`: "received", "answered", "held" (answers that came too late to count, `HELD`), "messages", "sent"
    (messages), and drops by reason: `wire.Reason`, "rate", "total_rate", "replay", "answer" (not a request), "astray"
    (a message for somebody else), "send", "receive". Raises OSError when an address cannot be bound. Make it where the
    event loop runs; `close` it."""

    def __init__(
        self,
        addresses: Iterable[str],
        port: int,
        *,
        source: bytes,
        ring: Callable[[], Keyring],
        publish: Callable[[TrainRecord], None],
        messages: Callable[[Datagram, str, int], None] | None = None,
        astray: Callable[[bytes], None] | None = None,
        speak: int = codec.CURRENT,
        limits: RateLimits | None = None,
    ) -> None:
        limits = limits or RateLimits()
        self.counters: Counter[str] = Counter()
        self.port = port
        self._source = source
        self._ring = ring
        self._speak = speak
        self._messages = messages
        self._astray = astray
        self._arrivals = Arrivals(publish)
        self._guard = ReplayGuard(limits.addresses)
        self._buckets = Buckets(limits.rate, limits.burst, limits.addresses)
        self._total = Buckets(limits.total_rate, limits.total_burst, 1)
        self._mismatches = Buckets(limits.mismatch_rate, limits.mismatch_burst, limits.addresses)
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
        """Sends a message from the port on which we answer; whether the kernel took it. A full buffer or an
        unreachable network is counted, not raised: messages may be lost anyway."""
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
        """Publishes what is open and closes the sockets."""
        if self._sweeper:
            self._sweeper.cancel()
            self._sweeper = None
        for listener in self._sockets:
            self._loop.remove_reader(listener.fileno())
            listener.close()
        self._sockets.clear()
        self._arrivals.flush()

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
            _tell_destination(listener)
        listener.bind((address, self.port))
        self.port = listener.getsockname()[1]
        self._loop.add_reader(listener.fileno(), self._ready, listener)

    def _ready(self, listener: socket.socket) -> None:
        """At most a batch, so that a flood cannot keep the loop: what is left makes the loop call again."""
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
            self.counters[Reason.LONG] += 1
        elif not self._buckets.take(peer[0], now):  # first, so that one who floods does not use up what all share
            self.counters["rate"] += 1
        elif not self._total.take("", now):
            self.counters["total_rate"] += 1
        else:
            self._judge(listener, memoryview(self._room)[:size], ancillary, peer, now)

    def _judge(
        self,
        listener: socket.socket,
        data: memoryview,
        ancillary: cmsg.Ancillary,
        peer: tuple[str, int],
        now: float,
    ) -> None:
        ring = self._ring()
        probe = codec.decode(data, ring, self._speak)
        if isinstance(probe, DecodeRefusal):
            self.counters[probe.reason] += 1
            if probe.reason in (Reason.VERSION, Reason.KEY) and self._mismatches.take(peer[0], now):
                notice = codec.mismatch(data, self._speak)
                if notice:
                    self._send(listener, notice, ancillary, peer)
        elif probe.type is DatagramType.MESSAGE:
            self._hand_over(probe, peer, now)
        elif probe.type is not DatagramType.PROBE:
            self.counters["answer"] += 1
        elif not self._guard.fresh(probe.source, probe.epoch, probe.counter, now):
            self.counters["replay"] += 1
            self._arrivals.duplicate(probe)
        else:
            self._echo(listener, probe, ring, ancillary, peer, now)

    def _hand_over(self, message: Datagram, peer: tuple[str, int], now: float) -> None:
        if not self._guard.fresh(message.source, message.epoch, message.counter, now):
            self.counters["replay"] += 1
        elif message.addressee != self._source:
            self.counters["astray"] += 1
            if self._astray is not None:
                self._astray(message.addressee)
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
        seen, gap = self._arrivals.add(probe, peer, family, stamp, now)
        hold = time.time_ns() - stamp
        answer = codec.echo(probe, self._source, ring, hold=hold, seen=seen, gap=gap // 100)
        given = self._send(listener, answer, ancillary, peer)
        self.counters["held"] += hold > HELD
        self._arrivals.done(probe, given and hold <= HELD)
        if self._sweeper is None and len(self._arrivals):
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
        self._arrivals.sweep(time.monotonic())
        self._sweeper = self._loop.call_later(_SWEEP, self._sweep) if len(self._arrivals) else None


def _tell_destination(listener: socket.socket) -> None:
    """Makes the kernel say which of our addresses a datagram came to, so that the answer can come from there."""
    if listener.family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    else:
        listener.setsockopt(socket.IPPROTO_IP, cmsg.IP_PKTINFO, 1)


def _reply_from(ancillary: cmsg.Ancillary) -> cmsg.Ancillary:
    """The control message that sends from the address asked. The interface is left to routing (index 0), but for
    link-local addresses, which mean nothing without."""
    for level, kind, data in ancillary:
        if level == socket.IPPROTO_IP and kind == cmsg.IP_PKTINFO:
            return [(level, kind, bytes(4) + data[4:8] + bytes(4))]  # struct in_pktinfo: ifindex, spec_dst, addr
        if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO:
            index = data[16:20] if data[0] == 0xFE and data[1] & 0xC0 == 0x80 else bytes(4)
            return [(level, kind, data[:16] + index)]  # struct in6_pktinfo: addr, ifindex
    return []
