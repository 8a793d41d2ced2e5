"""The memory of a sender: datagrams that are under way, and peers that speak an older version only."""

from __future__ import annotations

from collections.abc import Iterable

from kubesonar.core.wire import codec
from kubesonar.net.udp.train import SentTrain

LATE_ANSWER_WAIT = 10.0
"""Seconds after a train's end in which an answer counts as late; after that, as a duplicate. Longer costs memory."""

FALLBACK = 600.0
"""Seconds for which a peer that speaks only an older version is asked in it. Longer delays its upgrade."""

MISMATCH_MEMORY = 30.0
"""Seconds after a mismatch for which a peer that does not answer is taken to share no version or key still: in a flood
its notices may be lost. Longer, and a peer that dies meanwhile is unknown for longer; shorter, and it looks lossy."""

_MISSING = 65_536
"""Datagrams without an answer that are remembered after their train's end."""

_PEERS = 16_384
"""Peers with an older version that are remembered, and peers that told of a mismatch."""

_NONE = (None, 0)


class InFlight:
    """The datagrams of trains under way, by the counter that they carry.

    Of trains that ended only the unanswered datagrams are kept, for a while: an agent may send thousands a second.
    """

    def __init__(self) -> None:
        self._pending: dict[int, tuple[SentTrain, int]] = {}
        self._missing: dict[int, float] = {}

    def __len__(self) -> int:
        return len(self._pending) + len(self._missing)

    def add(self, counters: Iterable[int], train: SentTrain, sequences: Iterable[int]) -> None:
        """Record datagrams of a train that are about to be sent, by the counter and the sequence of each."""
        for counter, sequence in zip(counters, sequences, strict=True):
            self._pending[counter] = (train, sequence)

    def find(self, counter: int) -> tuple[SentTrain | None, int]:
        """Return train and sequence of the datagram with that counter; no train where none is under way."""
        return self._pending.get(counter, _NONE)

    def late(self, counter: int) -> bool:
        """Return whether this datagram was unanswered when its train ended; a second call returns False."""
        return self._missing.pop(counter, None) is not None

    def end(self, counters: list[int], now: float) -> None:
        """Record the end of a train, and forget what has been missing for long."""
        for counter in counters:
            train, sequence = self._pending.pop(counter)
            if train.ports[sequence] and sequence not in train.answered:
                self._missing[counter] = now
        while self._missing:
            oldest = next(iter(self._missing))
            if len(self._missing) <= _MISSING and self._missing[oldest] >= now - LATE_ANSWER_WAIT:
                break
            del self._missing[oldest]


class PeerVersions:
    """The version to ask each peer in: `speak`, or for `FALLBACK` seconds an older one where a peer asked for it.

    Such a request is not authenticated; a forged one makes this member measure less, and nothing worse.
    """

    def __init__(self, speak: int) -> None:
        self._speak = speak
        self._older: dict[tuple[str, int], tuple[int, float]] = {}
        self._mismatched: dict[tuple[str, int], float] = {}

    def of(self, peer: tuple[str, int], now: float) -> int:
        """Return the version to ask this peer in."""
        version, until = self._older.get(peer, (self._speak, 0.0))
        return version if until > now else self._speak

    def newest(self, peer: tuple[str, int], version: int, now: float) -> None:
        """Record that this peer told of a mismatch and speaks nothing newer than `version`."""
        self._mismatched.pop(peer, None)
        self._mismatched[peer] = now + MISMATCH_MEMORY
        if len(self._mismatched) > _PEERS:
            del self._mismatched[next(iter(self._mismatched))]
        if not codec.OLDEST <= version < self._speak:
            return
        self._older.pop(peer, None)
        self._older[peer] = (version, now + FALLBACK)
        if len(self._older) > _PEERS:
            del self._older[next(iter(self._older))]

    def answered(self, peer: tuple[str, int]) -> None:
        """Record that this peer took a request and so shares version and key."""
        if self._mismatched:
            self._mismatched.pop(peer, None)

    def mismatched(self, peer: tuple[str, int], now: float) -> bool:
        """Return whether this peer told of a mismatch lately, and has answered nothing since."""
        return self._mismatched.get(peer, now) > now
