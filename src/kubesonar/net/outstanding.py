"""What an engine remembers of what it sent: which datagram an answer is for, and who speaks only an older version."""

from __future__ import annotations

from collections import deque

from kubesonar.core import wire
from kubesonar.net.train import Train

LINGER = 10.0
"""For how long (s) after a train's end an answer to it is known to be late, and not a stranger's."""

FALLBACK = 600.0
"""For how long (s) a peer that speaks only an older version is asked in it."""

_PEERS = 16_384


class Outstanding:
    """The datagrams of trains under way, and of those that ended less than `LINGER` ago, by the counter they carry."""

    def __init__(self) -> None:
        self._pending: dict[int, tuple[Train, int]] = {}
        self._ended: deque[tuple[float, list[int]]] = deque()

    def add(self, counter: int, train: Train, sequence: int) -> None:
        """A datagram is about to be sent."""
        self._pending[counter] = (train, sequence)

    def find(self, counter: int) -> tuple[Train | None, int]:
        """Train and sequence of the datagram with that counter."""
        return self._pending.get(counter, (None, 0))

    def end(self, counters: list[int], now: float) -> None:
        """A train has ended; those that ended long ago are let go."""
        self._ended.append((now, counters))
        while self._ended and self._ended[0][0] < now - LINGER:
            for counter in self._ended.popleft()[1]:
                del self._pending[counter]


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
        if not wire.OLDEST <= version < self._speak:
            return
        self._older.pop(peer, None)
        self._older[peer] = (version, now + FALLBACK)
        if len(self._older) > _PEERS:
            del self._older[next(iter(self._older))]
