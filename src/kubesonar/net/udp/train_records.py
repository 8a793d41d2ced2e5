"""Counts what a responder receives of each train, until the train is over and its record is published."""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable

import msgspec

from kubesonar.core.wire.codec import IS_FULL, UNRECORDED, WITH_FULL, Datagram
from kubesonar.model import PortTally
from kubesonar.net.udp.train import HEADERS

TRAIN_GAP = 1.0
"""Seconds after its last datagram at which a train is over. Shorter splits trains that trickle in, longer delays their
records."""


class TrainRecord(msgspec.Struct, frozen=True):
    """The part of one train that arrived.

    `source` and `alias` say who sent it (`MemberIndex`); `announced` is how many datagrams it says it sent; `received`
    counts the different ones that arrived, `answered` those of them that were answered in time; `gap` is their median
    spacing (s, 0 where it is unknown); `at` is when the first arrived (Unix seconds); `ports` counts by the sender's
    source ports as they are seen here. A train that trickles in for longer than `TRAIN_GAP` has several records, which
    add up. The datagram that fills the path's MTU is in none of these: `full` is its IP packet (bytes, 0 where it did
    not arrive), `full_answered` whether it was answered in time.
    """

    source: bytes
    alias: bytes
    epoch: int
    number: int
    announced: int
    received: int
    duplicates: int
    reordered: int
    answered: int
    size: int
    gap: float
    at: float
    peer: str
    family: int
    ports: tuple[PortTally, ...]
    full: int = 0
    full_answered: bool = False


_Key = tuple[bytes, int, int, int]


class OpenTrains:
    """Trains that still arrive, by sender, epoch and number.

    At most `limit` are open; the oldest is closed for one more. `publish` gets each record once, except those of trains
    that asked for none.
    """

    def __init__(self, publish: Callable[[TrainRecord], None], limit: int = 8192) -> None:
        self._publish = publish
        self._limit = limit
        self._open: dict[_Key, OpenTrain] = {}

    def __len__(self) -> int:
        return len(self._open)

    def add(self, probe: Datagram, peer: tuple[str, int], family: int, stamp: int, now: float) -> OpenTrain:
        """Count a new datagram; return its train.

        `stamp` is in ns of the wall clock, `now` in seconds of the monotonic one.
        """
        key = _key(probe)
        entry = self._open.get(key)
        if entry is None:
            if len(self._open) >= self._limit:
                self._close(next(iter(self._open)))
            entry = self._open[key] = OpenTrain(key, probe, peer[0], family, stamp)
        entry.add(probe, peer[1], stamp, now)
        return entry

    def done(self, train: OpenTrain, probe: Datagram, answered: bool) -> None:
        """Record whether this datagram, which `add` counted in `train`, was answered; close the train if it was the
        last one."""
        if train.done(probe, answered) and self._open.get(train.key) is train:
            self._close(train.key)

    def duplicate(self, probe: Datagram) -> None:
        """Count a datagram that arrived before, if its train is still open."""
        entry = self._open.get(_key(probe))
        if entry is not None:
            entry.duplicates += 1

    def sweep(self, now: float) -> None:
        """Close the trains that are over."""
        for key in [key for key, entry in self._open.items() if now - entry.heard >= TRAIN_GAP]:
            self._close(key)

    def flush(self) -> None:
        """Close all trains."""
        for key in list(self._open):
            self._close(key)

    def _close(self, key: _Key) -> None:
        entry = self._open.pop(key)
        if not key[3] & UNRECORDED:
            self._publish(entry.record())


def _key(probe: Datagram) -> _Key:
    return probe.source, probe.epoch, probe.number, probe.flags & UNRECORDED


class OpenTrain:
    """A train that still arrives; `received` is how many of its datagrams have, without the one that fills the path's
    MTU. `key` is what tells it from other trains."""

    def __init__(self, key: _Key, probe: Datagram, peer: str, family: int, stamp: int) -> None:
        self.key = key
        self.received = 0
        self.announced = probe.count - bool(probe.flags & WITH_FULL)
        self._count = probe.count
        self._full = 0
        self._full_answered = False
        self.peer = peer
        self.family = family
        self.at = stamp
        self.heard = 0.0
        self.duplicates = self.reordered = self.answered = 0
        self._size = 0
        self._alias = probe.alias
        self._highest = -1
        self._last = 0
        self._gaps: list[int] = []
        """Spacings of the arrivals (ns), in ascending order."""
        self._ports: dict[int, int] = {}

    def add(self, probe: Datagram, port: int, stamp: int, now: float) -> None:
        """Count a datagram from this source port; see `OpenTrains.add`."""
        self.heard = now
        if probe.flags & IS_FULL:
            self._full = probe.size + HEADERS[self.family]
            return
        self._size = probe.size
        if probe.sequence < self._highest:
            self.reordered += 1
        else:
            self._highest = probe.sequence
        if self.received:
            insort(self._gaps, stamp - self._last)
        self._last = stamp
        self.received += 1
        self._ports[port] = self._ports.get(port, 0) + 1

    def done(self, probe: Datagram, answered: bool) -> bool:
        """Record whether this datagram was answered; return whether all of the train have arrived."""
        if probe.flags & IS_FULL:
            self._full_answered = answered
        else:
            self.answered += answered
        return self.received + bool(self._full) >= self._count

    def gap(self) -> int:
        """Return the median spacing of the arrivals so far (ns, the upper one of two), 0 where it is not known."""
        gaps = self._gaps
        return max(gaps[len(gaps) // 2], 0) if gaps else 0

    def record(self) -> TrainRecord:
        """Return the record of what has arrived."""
        source, epoch, number, _ = self.key
        return TrainRecord(
            source=source,
            alias=self._alias,
            epoch=epoch,
            number=number,
            announced=self.announced,
            received=self.received,
            duplicates=self.duplicates,
            reordered=self.reordered,
            answered=self.answered,
            size=self._size,
            gap=self.gap() / 1e9,
            at=self.at / 1e9,
            peer=self.peer,
            family=self.family,
            ports=tuple(PortTally(port, count, count) for port, count in self._ports.items()),
            full=self._full,
            full_answered=self._full_answered,
        )
