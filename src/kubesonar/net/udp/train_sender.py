"""Sends trains of signed datagrams to responders and measures by the kernel's stamps."""

from __future__ import annotations

import asyncio
import errno
import select
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

from kubesonar.core.address import canonical_address, family_of
from kubesonar.core.wire import codec
from kubesonar.core.wire.codec import DatagramType, Refusal, Sender
from kubesonar.core.wire.identity import WireIdentity
from kubesonar.core.wire.keyring import Keyring
from kubesonar.net.deadline import starved
from kubesonar.net.epoll import Epoll
from kubesonar.net.kernel import cmsg
from kubesonar.net.kernel.cmsg import NetError
from kubesonar.net.kernel.error_queue import QueuedError, TransmitStamp
from kubesonar.net.udp.in_flight import InFlight, PeerVersions
from kubesonar.net.udp.link_sizes import LinkSizes
from kubesonar.net.udp.port_pool import PortPool, PortSocket
from kubesonar.net.udp.train import SentTrain, TrainResult

_BATCH = 64
"""Datagrams read from one socket before the others have their turn."""

LARGEST_PACKET = 9000
"""Largest IP packet by which a path is filled, unless told otherwise (bytes): a jumbo frame's. Lower, and holes above
it are not seen; higher, and trains cost more bytes where links take it (`codec.MAX_DATAGRAM` is the most)."""

_FILLS = 3
"""Tries to fill a link whose MTU is not known yet: one is refused with the MTU, the next passes. Fewer, and a link
whose MTU changed just then is not filled; more only cost time."""

_ANSWER_SIZE = 256
"""Bytes read of one answer: more than any has. Longer ones are no answers; more room costs more to get."""

_PENDING = frozenset({errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EMSGSIZE, errno.EPROTO})
"""Errors that a send may report of an earlier datagram: the next call on the socket gets an ICMP error (ip(7))."""

_PROBE, _ECHO, _MISMATCH = DatagramType.PROBE, DatagramType.ECHO, DatagramType.MISMATCH
_ERROR = select.EPOLLERR


class TrainSender:
    """Sends trains from a pool of source ports. Use it on one running event loop and `close` it.

    All instances of a process share one `sender`, since its counter must not repeat. `ports` for each family is also
    the most conntrack entries that are held towards one target; every `rebind` seconds one port is replaced, so that no
    dead conntrack entry sticks. `speak` is the newest wire version used; `ceiling` is the largest IP packet (bytes) by
    which a path is filled. No datagram is fragmented. Answers are read in the loop's ticks, by the kernel's stamps, or
    `at_once`, for who sends one train after the other.

    `counters` has refused datagrams by `codec.Refusal`, "late" and "duplicate" (after the end of their train),
    "stranger" (not an answer to a train) and "rebind" (a port that could not be replaced).
    """

    def __init__(
        self,
        sender: Sender,
        ring: Callable[[], Keyring],
        *,
        ports: int = 8,
        rebind: float = 120.0,
        speak: int = codec.CURRENT,
        ceiling: int = LARGEST_PACKET,
        at_once: bool = False,
    ) -> None:
        self.counters: Counter[str] = Counter()
        self._sender = sender
        self._ring = ring
        self._ports = ports
        self._rebind = rebind
        self._speak = speak
        self._at_once = at_once
        self._pools: dict[int, PortPool] = {}
        self._rotation: asyncio.TimerHandle | None = None
        self._in_flight = InFlight()
        self._versions = PeerVersions(speak)
        self._links = LinkSizes(ceiling)
        self._waiting: dict[SentTrain, asyncio.Future[None]] = {}
        self._touched: set[SentTrain] = set()
        self._sending: SentTrain | None = None

    @property
    def lost(self) -> int:
        """Datagrams that the kernel dropped so far, as this process did not read them in time; answers among them."""
        return sum(pool.dropped for pool in self._pools.values())

    async def train(
        self,
        address: str,
        port: int,
        *,
        number: int,
        count: int,
        size: int,
        timeout: float,
        flags: int = 0,
        meant: WireIdentity | None = None,
        full: bool = False,
    ) -> TrainResult:
        """Send a train to an IP address and wait for the answers, for at most `timeout` seconds.

        The `count` datagrams (at most `codec.MAX_TRAIN`) of `size` bytes (UDP payload, at least `codec.MIN_REQUEST`)
        are sent back to back. Only answers of the member that is `meant` count (None: anybody's). With `full` one of
        them fills the link's MTU, each time another one, so that each source port has its turn; there is none where the
        peer speaks too old a version to know it, and none in a train of one. Failures are in the result; a text that is
        no address raises ValueError.
        """
        loop = asyncio.get_running_loop()
        train = SentTrain(
            (canonical_address(address), port),
            family_of(address),
            number,
            count,
            max(size, codec.MIN_REQUEST),
            meant,
        )
        started = time.monotonic_ns()
        train.began = time.time_ns()
        train.deadline = started + round(timeout * 1e9)
        train.wall_deadline = train.began + round(timeout * 1e9)
        counters: list[int] = []
        done = self._waiting[train] = loop.create_future()
        timer = loop.call_later(timeout, self._expire, train, timeout)
        try:
            self._send(loop, train, flags, counters, full=full)
            if not train.settled:
                await done
            if not train.answered and not train.errors:
                train.mismatch |= self._versions.mismatched(train.peer, time.monotonic())
            return train.result()
        finally:
            timer.cancel()
            self._waiting.pop(train, None)
            self._in_flight.end(counters, time.monotonic())

    def close(self) -> None:
        """Close every socket, and cancel the trains that are under way."""
        for done in self._waiting.values():
            done.cancel()
        if self._rotation:
            self._rotation.cancel()
        for pool in self._pools.values():
            pool.close()
        self._pools.clear()

    def _send(
        self, loop: asyncio.AbstractEventLoop, train: SentTrain, flags: int, counters: list[int], *, full: bool
    ) -> None:
        try:
            entries = self._pool(loop, train.family).take(len(train.ports))
        except OSError as error:
            train.note_error(NetError(error.errno or 0, local=True))
            return
        ring, count, version = self._ring(), len(entries), self._versions.of(train.peer, time.monotonic())
        if full and count > 1 and version >= codec.FULL_SINCE:
            train.full = train.number % count
            flags |= codec.WITH_FULL

        def signed(sequences: Sequence[int], size: int, more: int = 0) -> list[bytes]:
            frames = self._sender.probes(ring, train.number, sequences, count, size, version, flags | more)
            last = self._sender.counter
            numbers = range(last - len(frames) + 1, last + 1)
            counters.extend(numbers)
            self._in_flight.add(numbers, train, sequences)
            return frames

        small = [sequence for sequence in range(count) if sequence != train.full]
        frames = iter(signed(small, train.size))
        self._sending = train
        for sequence, entry in enumerate(entries):
            if sequence != train.full:
                self._send_one(entry, next(frames), train, sequence)
            else:
                self._send_full(entry, partial(signed, (sequence,), more=codec.IS_FULL), train, sequence)
        self._sending = None
        for entry in entries:
            self._take_error(entry.errors.read())

    def _send_full(
        self, entry: PortSocket, signed: Callable[[int], list[bytes]], train: SentTrain, sequence: int
    ) -> None:
        """Send a datagram that fills the link's MTU; where the link refuses it, send one of the size that it takes."""
        address, now = train.peer[0], time.monotonic()
        for _ in range(_FILLS):
            train.full_size = max(self._links.payload(address, train.family, now), train.size)
            self._send_one(entry, signed(train.full_size)[0], train, sequence)
            refusal = next((error for error in train.errors if error.local and error.errno == errno.EMSGSIZE), None)
            if refusal is None or train.ports[sequence]:
                return
            train.errors.remove(refusal)
            if not self._links.refused(address, refusal.mtu, now):
                return

    def _send_one(self, entry: PortSocket, frame: bytes, train: SentTrain, sequence: int) -> None:
        train.sent_at[sequence] = time.monotonic_ns()
        try:
            try:
                entry.socket.sendto(frame, train.peer)
            except OSError as error:
                self._read_errors(entry)
                if error.errno not in _PENDING:
                    raise
                entry.errors.restart()
                train.sent_at[sequence] = time.monotonic_ns()
                entry.socket.sendto(frame, train.peer)
        except OSError as error:
            self._read_errors(entry)
            entry.errors.restart()
            if not any(known.errno == error.errno for known in train.errors):
                train.note_error(NetError(error.errno or 0, local=True))
            return
        train.ports[sequence] = entry.port
        train.sent += 1
        entry.errors.sent((train, sequence))

    def _pool(self, loop: asyncio.AbstractEventLoop, family: int) -> PortPool:
        if self._rotation is None:
            self._rotation = loop.call_later(self._rebind, self._rotate, loop)
        pool = self._pools.get(family)
        if pool is None:
            epoll = Epoll.of(loop)
            pool = self._pools[family] = PortPool(family, self._ports, epoll, self._ready, at_once=self._at_once)
        return pool

    def _rotate(self, loop: asyncio.AbstractEventLoop) -> None:
        self._rotation = loop.call_later(self._rebind, self._rotate, loop)
        for pool in self._pools.values():
            try:
                pool.rotate()
            except OSError:
                self.counters["rebind"] += 1

    def _ready(self, entry: PortSocket, events: int, most: int = 1) -> bool:
        """Read `most` answers; return False where there may be more."""
        empty = not events & _ERROR or self._read_errors(entry)
        empty &= not events & ~_ERROR or self._read_answers(entry, most)
        for train in self._touched:
            if train.settled:
                self._finish(train)
        self._touched.clear()
        return empty

    def _expire(self, train: SentTrain, timeout: float) -> None:
        """End a train at its deadline. Answers in the sockets' buffers still count, by the kernel's stamps."""
        late = (time.monotonic_ns() - train.deadline) / 1e9
        if starved(late, timeout):
            train.starved = late
        for entry in self._pools.get(train.family, ()):
            self._ready(entry, select.EPOLLIN | select.EPOLLERR, _BATCH)
        self._finish(train)

    def _finish(self, train: SentTrain) -> None:
        done = self._waiting.get(train)
        if done and not done.done():
            done.set_result(None)

    def _read_answers(self, entry: PortSocket, most: int) -> bool:
        """Read `most` of what the socket holds; return False where there may be more."""
        for _ in range(most):
            try:
                data, ancillary, _, peer = entry.socket.recvmsg(_ANSWER_SIZE, cmsg.ANCILLARY)
            except BlockingIOError:
                return True
            except OSError:
                self._read_errors(entry)  # an ICMP error, reported once; the answers behind it are still there
                continue
            self._take(data, cmsg.received_at(ancillary), peer)
        return False

    def _take(self, data: bytes, stamp: int | None, peer: tuple[str, int]) -> None:
        read_at = time.monotonic_ns()
        answer = codec.decode(data, self._ring(), self._speak)
        if isinstance(answer, Refusal):
            self.counters[answer] += 1
            return
        train, sequence = self._in_flight.find(answer.counter)
        if train is None and answer.type is _ECHO and answer.epoch == self._sender.epoch:
            self.counters["late" if self._in_flight.late(answer.counter) else "duplicate"] += 1
        elif (
            train is None
            or answer.type is _PROBE
            or answer.epoch != self._sender.epoch
            or answer.sequence != sequence
            or peer[:2] != train.peer
        ):
            self.counters["stranger"] += 1
        elif answer.type is _MISMATCH:
            train.mismatch = True
            self._versions.newest(train.peer, answer.version, read_at / 1e9)
        else:
            self._versions.answered(train.peer)
            train.note_answer(answer, stamp, read_at)
            self._touched.add(train)

    def _read_errors(self, entry: PortSocket) -> bool:
        """Read errors and stamps; return False where a full batch may have left more: anybody can send ICMP errors."""
        for _ in range(_BATCH):
            found = entry.errors.read()
            if found is None:
                return True
            self._take_error(found)
        return False

    def _take_error(self, found: TransmitStamp[tuple[SentTrain, int]] | QueuedError | None) -> None:
        if isinstance(found, TransmitStamp):
            train, sequence = found.item
            if found.at >= train.began:
                train.left[sequence] = found.at
        elif found is not None:
            self._blame(found.error, found.quote, found.peer)

    def _blame(self, error: NetError, quote: bytes, peer: tuple[str, int] | None) -> None:
        """Find the train that an error is about: by the counter in the quoted datagram, else the train being sent or,
        for an error of the network, the trains to the destination of that datagram."""
        counter = codec.quoted_number(quote)
        train, sequence = self._in_flight.find(counter or 0)
        if train is not None:
            if sequence not in train.answered:
                train.refused.add(sequence)
            train.note_error(error)
            self._touched.add(train)
            return
        if error.local:
            if self._sending:
                self._sending.note_error(error)
            return
        for waiting in self._waiting if counter is None else ():
            if waiting.peer == peer and not waiting.fits(error):
                waiting.note_error(error)
