"""What a responder received of each train, until the train is over and its record goes out."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import msgspec

from kubesonar.core.wire.codec import UNRECORDED, Datagram
from kubesonar.model import PortTally
from kubesonar.net.udp.train import median

TRAIN_GAP = 1.0
"""A train is over so long (s) after its last datagram."""


class TrainRecord(msgspec.Struct, frozen=True):
    """What arrived of one train: `source` is the sender's `wire.identity`, `announced` how many it sent by its own
    word, `received` how many different ones came, `answered` how many of those we answered in time, `gap` their median
    spacing in seconds (0 unknown), `at` when the first came (wall clock), `ports` by the sender's source ports as seen
    here. Where datagrams trickle in over more than `TRAIN_GAP`, a train has several records, which add up."""

    source: bytes
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


Key = tuple[bytes, int, int, int]


class Arrivals:
    """Open trains by sender, epoch and number; at most `limit`, the oldest is closed when one more comes. `publish`
    gets each record once, except those of trains that asked for none."""

    def __init__(self, publish: Callable[[TrainRecord], None], limit: int = 8192) -> None:
        self._publish = publish
        self._limit = limit
        self._open: dict[Key, _Open] = {}

    def __len__(self) -> int:
        return len(self._open)

    def add(self, probe: Datagram, peer: tuple[str, int], family: int, stamp: int, now: float) -> tuple[int, int]:
        """Counts a datagram that is new; returns how many of its train have come and their median spacing (ns).
        `stamp` is ns of the wall clock, `now` seconds of the monotonic one."""
        key = _key(probe)
        entry = self._open.get(key)
        if entry is None:
            if len(self._open) >= self._limit:
                self._close(next(iter(self._open)))
            entry = self._open[key] = _Open(probe, peer[0], family, stamp)
        entry.add(probe.sequence, peer[1], stamp, now)
        return entry.received, entry.gap()

    def done(self, probe: Datagram, answered: bool) -> None:
        """Says whether this datagram was answered; closes the train when it was the last one."""
        entry = self._open.get(_key(probe))
        if entry is None:
            return
        entry.answered += answered
        if entry.received >= entry.announced:
            self._close(_key(probe))

    def duplicate(self, probe: Datagram) -> None:
        """Counts a datagram that came before, if its train is still open."""
        entry = self._open.get(_key(probe))
        if entry is not None:
            entry.duplicates += 1

    def sweep(self, now: float) -> None:
        """Closes what is over."""
        for key in [key for key, entry in self._open.items() if now - entry.heard >= TRAIN_GAP]:
            self._close(key)

    def flush(self) -> None:
        """Closes everything."""
        for key in list(self._open):
            self._close(key)

    def _close(self, key: Key) -> None:
        entry = self._open.pop(key)
        if not key[3] & UNRECORDED:
            self._publish(entry.record(key))


def _key(probe: Datagram) -> Key:
    return probe.source, probe.epoch, probe.number, probe.flags


class _Open:
    def __init__(self, probe: Datagram, peer: str, family: int, stamp: int) -> None:
        self.announced = probe.count
        self.peer = peer
        self.family = family
        self.at = stamp
        self.heard = 0.0
        self.duplicates = self.reordered = self.answered = 0
        self._size = probe.size
        self._highest = -1
        self._stamps: list[int] = []
        self._ports: dict[int, int] = {}

    @property
    def received(self) -> int:
        return len(self._stamps)

    def add(self, sequence: int, port: int, stamp: int, now: float) -> None:
        self.heard = now
        self.reordered += sequence < self._highest
        self._highest = max(self._highest, sequence)
        self._stamps.append(stamp)
        self._ports[port] = self._ports.get(port, 0) + 1

    def gap(self) -> int:
        stamps = self._stamps
        if len(stamps) < 2:
            return 0
        return max(median([after - before for before, after in pairwise(stamps)]), 0)

    def record(self, key: Key) -> TrainRecord:
        source, epoch, number, _ = key
        return TrainRecord(
            source=source,
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
        )
