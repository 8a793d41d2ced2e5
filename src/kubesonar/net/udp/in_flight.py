"""What an engine remembers of what it sent: which datagram an answer is for, and who speaks only an older version."""

from __future__ import annotations

from kubesonar.core.wire import codec
from kubesonar.net.udp.train import SentTrain

LATE_ANSWER_WAIT = 10.0
"""For how long (s) after a train's end an answer to it is known to be late, and not a duplicate."""

FALLBACK = 600.0
"""For how long (s) a peer that speaks only an older version is asked in it."""

_MISSING = 65_536
_PEERS = 16_384


class Outstanding:
    """The datagrams of trains under way, by the counter they carry, and those that were missing when their train ended:
    of trains that ended nothing else is kept, for an agent may send thousands of datagrams a second."""

    def __init__(self) -> None:
        self._pending: dict[int, tuple[SentTrain, int]] = {}
        self._missing: dict[int, float] = {}

    def __len__(self) -> int:
        return len(self._pending) + len(self._missing)

    def add(self, counter: int, train: SentTrain, sequence: int) -> None:
        """A datagram is about to be sent."""
        self._pending[counter] = (train, sequence)

    def find(self, counter: int) -> tuple[SentTrain | None, int]:
        """Train and sequence of the datagram with that counter, if its train is under way."""
        return self._pending.get(counter, (None, 0))

    def late(self, counter: int) -> bool:
        """Whether this one was missing; once, for the next is a duplicate."""
        return self._missing.pop(counter, None) is not None

    def end(self, counters: list[int], now: float) -> None:
        """A train has ended; what is missing for long is let go."""
        for counter in counters:
            train, sequence = self._pending.pop(counter)
            if train.ports[sequence] and sequence not in train.answered:
                self._missing[counter] = now
        while self._missing:
            oldest = next(iter(self._missing))
            if len(self._missing) <= _MISSING and self._missing[oldest] >= now - LATE_ANSWER_WAIT:
                break
            del self._missing[oldest]


class Versions:
    """In which version to ask whom: `speak`, or older for `FALLBACK` seconds where a peer said that it cannot. The word
    for it is not authenticated: at worst, who forges it makes us measure less."""

    def __init__(self, speak: int) -> None:
        self._speak = speak
        self._older: dict[tuple[str, int], tuple[int, float]] = {}

    def of(self, peer: tuple[str, int], now: float) -> int:
        """The version to ask this peer in."""
        version, until = self._older.get(peer, (self._speak, 0.0))
        return version if until > now else self._speak

    def newest(self, peer: tuple[str, int], version: int, now: float) -> None:
        """This peer says that it speaks nothing newer than `version`."""
        if not codec.OLDEST <= version < self._speak:
            return
        self._older.pop(peer, None)
        self._older[peer] = (version, now + FALLBACK)
        if len(self._older) > _PEERS:
            del self._older[next(iter(self._older))]
