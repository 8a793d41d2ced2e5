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
from functools import partial

from kubesonar.core.address import family_of
from kubesonar.core.wire import codec
from kubesonar.core.wire.codec import Datagram, DatagramType, Refusal
from kubesonar.core.wire.identity import WireIdentity
from kubesonar.core.wire.keyring import Keyring
from kubesonar.core.wire.replay_window import ReplayGuard
from kubesonar.net.epoll import Epoll
from kubesonar.net.kernel import cmsg
from kubesonar.net.kernel.queue_drops import queue_drops
from kubesonar.net.ticks import Ticks
from kubesonar.net.udp.answering_socket import AnsweringSocket, reply_from
from kubesonar.net.udp.shared_port import share_port, sort_by_cookie
from kubesonar.net.udp.token_bucket import RateLimits, TokenBuckets
from kubesonar.net.udp.train_records import OpenTrains, TrainRecord

HELD = 500_000_000
"""Time after which an answer does not count as given (ns). The process was not running, and the asking member may have
given up, so that a missing answer there says nothing about the way back."""

_BATCH = 64
"""Datagrams taken from one socket before others have their turn."""

_BUSY = 32
"""Datagrams taken and messages sent in one tick, after which datagrams are read at once, until ticks are calm again.
Lower, and a process at rest wakes up more often; higher, and buffers may overflow between ticks: one of 208 KiB (the
kernel's default of net.core.rmem_max, doubled) holds some 100 small datagrams of a card that takes a page for each."""

_AWAITED = 1.0
"""Seconds after an unrecorded probe for which datagrams are read at once, unless its sender is not in a hurry: who
searches for a path's MTU, or looks whether somebody is frozen, asks again after the answer and waits for a fraction of
a second. Shorter, and each step of a search waits for a tick; longer, and a process at rest wakes up more often."""

_HURRY = 2.0
"""Seconds for which ticks come faster after a message that others follow. Shorter, and the answer to a suspicion that
comes at the end of its second waits for a tick; longer, and a process wakes up more often in an outage."""

_PATIENCE = codec.UNRECORDED | codec.UNHURRIED

_ROOM = codec.MAX_DATAGRAM + 1

_TRUNCATED = int(socket.MSG_TRUNC)  # as a number: `socket` has a flag, whose operators are slow
_NOT_UNDERSTOOD = frozenset({Refusal.VERSION, Refusal.KEY})
_PROBE, _MESSAGE, _MISMATCH = DatagramType.PROBE, DatagramType.MESSAGE, DatagramType.MISMATCH

_BUFFER = 1 << 20
"""Receive buffer asked for (bytes, cut to net.core.rmem_max). Datagrams beyond are lost while the loop is busy."""

_OTHERS_BUFFER = 1 << 17
"""The same for datagrams without a cookie: members that know none (version 2 before cookies) send trains too."""

_COOKIELESS = 60.0
"""Seconds after a signed datagram without a cookie in which the loss of such counts as the loss of a member's."""


class UdpResponder:
    """Answers probes on `port` of each of `addresses`. Make it on the running event loop and `close` it.

    Datagrams are read in the loop's ticks: how long each waited is in its answer, by the kernel's stamp. Where the
    kernel stamps none, while many come or are asked for, and while somebody searches, they are read at once. Those
    without a cookie never are: a batch in each tick, so that a flood of them costs little.

    Addresses are IP addresses; "0.0.0.0" and "::" answer from the address that was asked. A port of 0 takes a free one,
    the same for all addresses. `me` returns who this member is, and `ring` the keys in force; `publish` gets the record
    of each train; `speak` is the newest wire version understood.

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
        speak: int = codec.CURRENT,
        limits: RateLimits | None = None,
    ) -> None:
        limits = limits or RateLimits()
        self.counters: Counter[str] = Counter()
        self.port = port
        self.ring = ring
        self.speak = speak
        self._me = me
        self._messages: Callable[[Datagram, str, int], None] | None = None
        self._trains = OpenTrains(publish)
        self._guard = ReplayGuard(limits.addresses)
        self._buckets = TokenBuckets(limits.rate, limits.burst, limits.addresses)
        self._total = TokenBuckets(limits.total_rate, limits.total_burst, 1)
        self._mismatches = TokenBuckets(limits.mismatch_rate, limits.mismatch_burst, limits.addresses)
        self._room = memoryview(bytearray(_ROOM))
        self._rooms = [self._room]
        self._loop = asyncio.get_running_loop()
        self._ticks = Ticks.of(self._loop)
        self._epoll = Epoll.of(self._loop)
        self._stamped = True
        self._eager = False
        self._handled = 0
        self._awaited = float("-inf")
        self._sockets: list[AnsweringSocket] = []
        self._others: list[AnsweringSocket] = []
        """The sockets for datagrams without a cookie."""
        self._sorted_by = ring()
        self._cookieless = float("-inf")
        self._drops: dict[AnsweringSocket, int] = {}
        try:
            for address in addresses:
                self._listen(address)
        except OSError:
            self.close()
            raise
        self._ticks.read_each(self._tick)  # after the epoll, which has begun with the first socket
        self._read_at_once(not self._stamped)

    def deliver_to(self, messages: Callable[[Datagram, str, int], None]) -> None:
        """Call `messages` from now on with each new message for this member, and with each MISMATCH that says that it
        came from it, and the address and port that it came from. Those before are dropped."""
        self._messages = messages

    def send(self, data: bytes, address: str, port: int) -> bool:
        """Send a message from the port that answers probes; return whether the kernel took it. An answer may come.

        A full buffer or an unreachable network is counted and raises nothing: messages may be lost anyway.
        """
        family = family_of(address)
        sender = next((sender.socket for sender in self._sockets if sender.family == family), None)
        try:
            if sender is None:
                raise OSError(f"no socket of the family of {address}")
            sender.sendto(data, (address, port))
        except OSError:
            self.counters["send"] += 1
            return False
        self.counters["sent"] += 1
        self._handled += 1
        return True

    def hurry(self) -> None:
        """Let ticks come faster for two seconds: messages follow each other, and for the last of them somebody
        waits."""
        self._ticks.hasten(_HURRY)

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
        self._ticks.read_no_more(self._tick)
        self._read_at_once(False)
        for endpoint in (*self._sockets, *self._others):
            self._epoll.drop(endpoint.socket.fileno())
            endpoint.socket.close()
        self._sockets.clear()
        self._others.clear()
        self._trains.flush()

    def _listen(self, address: str) -> None:
        listener = AnsweringSocket(address, _BUFFER, members=True)
        self._sockets.append(listener)
        listener.socket.bind((address, self.port))
        self.port = listener.socket.getsockname()[1]
        self._stamped &= cmsg.stamps_on(listener.socket, cmsg.RX_STAMPS)
        others = AnsweringSocket(address, _OTHERS_BUFFER, members=False)
        opened = [listener]
        try:
            share_port(listener.socket, others.socket, address, self._sorted_by)
        except OSError:
            others.socket.close()  # then `listener` gets everything
        else:
            self._others.append(others)
            opened.append(others)
        for endpoint in opened:
            self._epoll.watch(endpoint.socket.fileno(), partial(self._ready, endpoint))

    def _ready(self, endpoint: AnsweringSocket, _events: int) -> bool:
        """Read a batch of a socket in a tick; what it leaves waits for the next one."""
        self._read(endpoint)
        return True

    def _tick(self) -> None:
        """Go on at once, once a batch of each socket was read, where more may come than fits into the next tick's."""
        now = time.monotonic()
        busy, self._handled = self._handled > _BUSY or now < self._awaited, 0
        if self._stamped and busy is not self._eager:
            self._read_at_once(busy)
        if len(self._trains):
            self._trains.sweep(now)

    def _read_at_once(self, eager: bool) -> None:
        """Read what members send as soon as it comes, or in ticks only."""
        self._eager = eager
        for listener in self._sockets:
            if eager:
                self._loop.add_reader(listener.socket.fileno(), self._read, listener)
            else:
                self._loop.remove_reader(listener.socket.fileno())

    def _read(self, listener: AnsweringSocket) -> None:
        """Take at most a batch, so that a flood cannot keep the loop."""
        receive, ring = listener.socket.recvmsg_into, None
        for _ in range(_BATCH):
            try:
                size, ancillary, flags, peer = receive(self._rooms, cmsg.ANCILLARY)
            except BlockingIOError:
                return
            except OSError:
                self.counters["receive"] += 1
                return
            self._handled += listener.members
            self.counters["received"] += 1
            if flags & _TRUNCATED:
                self.counters[Refusal.LONG] += 1
                continue
            ring = ring or self._keys()
            self._take(listener, self._room[:size], ring, ancillary, peer, time.monotonic())

    def _keys(self) -> Keyring:
        """Return the keys in force, by which the kernel sorts from now on."""
        ring = self.ring()
        if ring is not self._sorted_by:
            self._sort(ring)
        return ring

    def _take(
        self,
        listener: AnsweringSocket,
        data: memoryview,
        ring: Keyring,
        ancillary: cmsg.Ancillary,
        peer: tuple[str, int],
        now: float,
    ) -> None:
        request = codec.decode(data, ring, self.speak)
        if isinstance(request, Refusal):
            self.counters[request] += 1
            if request in _NOT_UNDERSTOOD and self._mismatches.take(peer[0], now):
                notice = codec.mismatch(data, self.speak)
                if notice:
                    self._send(listener, notice, ancillary, peer)
        elif request.type is _MISMATCH and self._messages is not None and request.source in self._me():
            self._messages(request, peer[0], peer[1])
        elif request.type is not _PROBE and request.type is not _MESSAGE:
            self.counters["answer"] += 1
        elif not self._guard.fresh(request.source, request.epoch, request.counter, now):
            self.counters["replay"] += 1
            self._trains.duplicate(request)
        elif self._admits(request, listener, peer[0], now):
            if request.type is _MESSAGE:
                self._hand_over(request, peer)
            else:
                self._echo(listener, request, ring, ancillary, peer, now)

    def _sort(self, ring: Keyring) -> None:
        self._sorted_by = ring
        for listener in self._sockets if self._others else ():
            with suppress(OSError):  # as before where the kernel has no room: those with a new key are read later
                sort_by_cookie(listener.socket, ring)

    def _admits(self, request: Datagram, listener: AnsweringSocket, address: str, now: float) -> bool:
        """Return whether a new signed datagram is within the limits: first those of its sender, so that a member that
        sends too much does not use up the total. Without keys anybody can be any sender, so its address counts."""
        if not listener.members:
            self._cookieless = now
        if not self._buckets.take(request.source if request.key else address, now):
            self.counters["rate"] += 1
        elif not self._total.take("", now):
            self.counters["total_rate"] += 1
        else:
            return True
        return False

    def _dropped(self, endpoint: AnsweringSocket) -> int:
        """Return how many datagrams the kernel dropped at this socket since the last call."""
        before, self._drops[endpoint] = self._drops.get(endpoint, 0), queue_drops(endpoint.socket)
        return (self._drops[endpoint] - before) & 0xFFFFFFFF

    def _hand_over(self, message: Datagram, peer: tuple[str, int]) -> None:
        if message.addressee not in self._me():
            self.counters["misdelivered"] += 1
        elif self._messages is not None:
            self.counters["messages"] += 1
            self._messages(message, peer[0], peer[1])

    def _echo(
        self,
        listener: AnsweringSocket,
        probe: Datagram,
        ring: Keyring,
        ancillary: cmsg.Ancillary,
        peer: tuple[str, int],
        now: float,
    ) -> None:
        if probe.flags & _PATIENCE == codec.UNRECORDED:
            self._awaited = now + _AWAITED
        stamp = cmsg.received_at(ancillary) or time.time_ns()
        train = self._trains.add(probe, peer, listener.family, stamp, now)
        hold = time.time_ns() - stamp
        answer = codec.echo(probe, self._me(), ring, hold=hold, seen=train.received, gap=train.gap() // 100)
        given = self._send(listener, answer, ancillary, peer)
        self.counters["held"] += hold > HELD
        self._trains.done(train, probe, given and hold <= HELD)

    def _send(self, listener: AnsweringSocket, answer: bytes, ancillary: cmsg.Ancillary, peer: tuple[str, int]) -> bool:
        try:
            listener.socket.sendmsg([answer], reply_from(ancillary), 0, peer)
        except OSError:
            self.counters["send"] += 1
            return False
        self.counters["answered"] += 1
        return True
