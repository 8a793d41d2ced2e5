"""One train of datagrams while it is on the way."""

from __future__ import annotations

from itertools import pairwise

from kubesonar.core.wire.codec import HOLD_LIMIT, Datagram
from kubesonar.model import PortTally, StampSource
from kubesonar.net.cmsg import NetError
from kubesonar.net.udp.train_result import TrainResult

HEADERS = {4: 28, 6: 48}
"""Bytes of the IP header without options and the UDP header, by family (RFC 791, 8200, 768)."""

RATE_LIMIT = 100e6
"""Fastest bottleneck that is told, in bits/s: above it, a spacing is the hosts' own."""

_SPREAD = 3
"""How many times wider than it was sent a train must arrive before its spacing is the bottleneck's."""

_RATE_TRAIN = 4
"""Fewest arrivals whose median spacing means something."""

_SLACK = 1_000_000
"""How far (ns) the wall clock, which stamps, and the monotonic clock may differ over one round trip."""

_ERRORS = 8


class SentTrain:
    """The state of a train while it is on the way. Times are ns: `sent_at` and `read_at` of the monotonic clock, stamps
    of the wall clock."""

    def __init__(self, peer: tuple[str, int], family: int, number: int, count: int, size: int) -> None:
        self.peer = peer
        self.family = family
        self.number = number
        self.size = size
        self.began = 0
        """Wall clock before the first send."""
        self.deadline = 0
        """Monotonic clock."""
        self.wall_deadline = 0
        self.ports = [0] * count
        """Source port of each datagram, 0: not sent."""
        self.sent_at = [0] * count
        self.left = [0] * count
        """The kernel's transmit stamps, 0: none."""
        self.rtt: list[float] = [0.0] * count
        self.exact = [False] * count
        """Whether that round trip is by the kernel's stamps."""
        self.answered: dict[int, int] = {}
        """Sequences in time, with the stamp (or else the time) of their arrival."""
        self.refused: set[int] = set()
        self.errors: list[NetError] = []
        self.sent = self.duplicates = self.late = self.seen = self.gap = 0
        self.starved = 0.0
        self.mismatch = False

    @property
    def settled(self) -> bool:
        """Whether nothing more is to come."""
        return len(self.answered) + len(self.refused) >= self.sent

    def note_error(self, error: NetError) -> None:
        """Keeps what failed; a train's first few errors tell."""
        if len(self.errors) < _ERRORS and error not in self.errors:
            self.errors.append(error)

    def fits(self, error: NetError) -> bool:
        """Whether "too big" cannot be about this train, whose packets are no bigger than what passes."""
        return 0 < self.size + HEADERS[self.family] <= error.mtu

    def note_answer(self, answer: Datagram, stamp: int | None, read_at: int) -> None:
        """Takes in an answer that belongs to this train; `stamp` is the kernel's for its arrival. One that the kernel
        had in time counts, however late we come to read it."""
        sequence = answer.sequence
        if sequence >= len(self.ports) or not self.ports[sequence]:
            return
        if sequence in self.answered:
            self.duplicates += 1
            return
        if read_at > self.deadline and not (stamp and self.began <= stamp <= self.wall_deadline):
            self.late += 1
            return
        self.answered[sequence] = stamp or 0
        self.refused.discard(sequence)
        if answer.seen > self.seen:
            self.seen, self.gap = answer.seen, answer.gap * 100
        if answer.hold < HOLD_LIMIT:
            self._measure(sequence, answer.hold, stamp, read_at)

    def _measure(self, sequence: int, hold: int, stamp: int | None, read_at: int) -> None:
        """By the kernel's stamps, unless they contradict our own clock: then the wall clock was set meanwhile."""
        elapsed = read_at - self.sent_at[sequence]
        left = self.left[sequence]
        if stamp and left and hold < stamp - left <= elapsed + _SLACK:
            self.rtt[sequence] = (stamp - left - hold) / 1e9
            self.exact[sequence] = True
        else:
            self.rtt[sequence] = max(elapsed - hold, 1) / 1e9

    def result(self) -> TrainResult:
        """What is known by now."""
        clock, rtts = self._round_trips()
        return TrainResult(
            number=self.number,
            at=self.began / 1e9,
            size=self.size,
            sent=self.sent,
            received=len(self.answered),
            rtts=rtts,
            clock=clock,
            duplicates=self.duplicates,
            reordered=self._reordered(),
            late=self.late,
            seen=self.seen,
            rate=self._rate(),
            ports=self._tallies(),
            starved=self.starved,
            mismatch=self.mismatch,
            errors=tuple(self.errors),
        )

    def _round_trips(self) -> tuple[StampSource, tuple[float, ...]]:
        """The kernel's, or, where it gave none at all, our own: never a mix of both."""
        exact = any(self.exact)
        rtts = tuple(rtt for rtt, kernel in zip(self.rtt, self.exact, strict=True) if rtt and kernel is exact)
        return (StampSource.KERNEL if exact else StampSource.USER), rtts

    def _reordered(self) -> int:
        arrivals = sorted(self.answered, key=self.answered.__getitem__)
        highest, count = -1, 0
        for sequence in arrivals:
            count += sequence < highest
            highest = max(highest, sequence)
        return count

    def _rate(self) -> float | None:
        """Packet-train dispersion: the spacing at the far end is the bottleneck's only if it far exceeds our own."""
        if self.seen < _RATE_TRAIN or not self.gap:
            return None
        left = [stamp for stamp in (self.left if all(self.left) else self.sent_at) if stamp]
        gaps = [after - before for before, after in pairwise(left)]
        rate = 8e9 * (self.size + HEADERS[self.family]) / self.gap
        if not gaps or self.gap < _SPREAD * median(gaps) or rate >= RATE_LIMIT:
            return None
        return rate

    def _tallies(self) -> tuple[PortTally, ...]:
        counts: dict[int, list[int]] = {}
        for sequence, port in enumerate(self.ports):
            if port:
                tally = counts.setdefault(port, [0, 0])
                tally[0] += 1
                tally[1] += sequence in self.answered
        return tuple(PortTally(port, sent, received) for port, (sent, received) in counts.items())


def median(values: list[int]) -> int:
    """The middle one, the upper of two (`statistics` would cost an agent two megabytes)."""
    return sorted(values)[len(values) // 2]
