"""One train of datagrams: its state while it is under way, its outcome, and the fault that it shows."""

from __future__ import annotations

import errno
from itertools import pairwise

import msgspec

from kubesonar.core.wire.codec import CERTAIN, HOLD_LIMIT, Datagram
from kubesonar.core.wire.identity import WireIdentity
from kubesonar.model import Fault, PortTally, StampSource, Train
from kubesonar.net.errno_faults import fault_of
from kubesonar.net.kernel.cmsg import NetError

SOMEBODY_ELSE = "somebody else answers"
"""The detail of `Fault.MISDELIVERED`, which the address follows."""

HEADERS = {4: 28, 6: 48}
"""Bytes of the IP header without options and the UDP header, by family (RFC 791, 8200, 768)."""

RATE_LIMIT = 100e6
"""Fastest bottleneck that is reported (bits/s): above it, the spacing of a train comes from the hosts."""

_SPREAD = 3
"""Times by which a train must arrive wider than it was sent, before its spacing counts as the bottleneck's. Lower takes
the hosts' jitter for a bottleneck, higher misses mild ones."""

_RATE_TRAIN = 4
"""Fewest arrivals whose median spacing counts."""

_SLACK = 1_000_000
"""Difference allowed between the wall clock, which stamps, and the monotonic clock over one round trip (ns)."""

_ERRORS = 8
"""Different errors kept of one train."""


class TrainResult(msgspec.Struct, frozen=True):
    """The outcome of one train, but for the datagram that filled the link's MTU, which `train` has.

    `at` is when it was sent (Unix seconds); `rtts` are the round trips (s) by `clock` in the order sent, without the
    time for which the responder held the datagram; `starved` is how late the own deadline fired (s) where that was so
    late that silence proves nothing, else 0; `errors` are those that the kernel and the network reported;
    `misdelivered`: another member than the one meant answered. `train.late` counts answers after the deadline, and
    `train.reordered` answers overtaken by a later datagram's (RFC 4737), which is normal where source ports take
    different paths.
    """

    train: Train
    at: float
    sent: int
    received: int
    rtts: tuple[float, ...] = ()
    clock: StampSource = StampSource.KERNEL
    starved: float = 0.0
    mismatch: bool = False
    misdelivered: bool = False
    errors: tuple[NetError, ...] = ()

    @property
    def too_big(self) -> NetError | None:
        """The error by which the network refused the full-size datagram as too big; None where it did not."""
        lost = self.train.full_lost
        return next((error for error in self.errors if lost and _is_too_big(error)), None)

    def fault(self) -> tuple[Fault | None, str]:
        """Return the fault, None where there is none, and the text of its detail. Loss of a part is no fault."""
        if self.misdelivered:
            return Fault.MISDELIVERED, SOMEBODY_ELSE
        if self.received and (refusal := self.too_big):
            return Fault.TOO_BIG, f"{_speaker(refusal)} refuses {self.train.full} bytes as too big; {refusal.mtu} pass"
        if self.received == self.sent > 0:
            return None, ""
        if self.mismatch and not self.received:
            return Fault.MISMATCH, "version/key mismatch"
        errors = [error for error in self.errors if not (self.train.full and _is_too_big(error))]
        if errors and not self.received:
            return _told(errors[0])
        if self.starved:
            return Fault.LOCAL, f"event loop was {self.starved * 1000:.0f} ms late"
        return (None, "") if self.received else (Fault.TIMEOUT, f"none of {self.sent} answered")


class SentTrain:
    """The state of a train while it is under way.

    Answers of others than the member that is `meant` (None: anybody) do not count. All times are in ns: `sent_at` and
    `read_at` of the monotonic clock, stamps of the wall clock.
    """

    def __init__(
        self,
        peer: tuple[str, int],
        family: int,
        number: int,
        count: int,
        size: int,
        meant: WireIdentity | None = None,
    ) -> None:
        self.peer = peer
        self.meant = meant
        self.family = family
        self.number = number
        self.size = size
        self.began = 0
        """Before the first send, by the wall clock."""
        self.deadline = 0
        """By the monotonic clock; `wall_deadline` is the same by the wall clock."""
        self.wall_deadline = 0
        self.ports = [0] * count
        """Source port of each datagram, 0 where it was not sent."""
        self.sent_at = [0] * count
        self.left = [0] * count
        """The kernel's transmit stamps, 0 where there is none."""
        self.rtt: list[float] = [0.0] * count
        self.exact = [False] * count
        """True where the round trip is by the kernel's stamps."""
        self.answered: dict[int, int] = {}
        """Sequences that were answered in time, with the stamp of their arrival, 0 where there is none."""
        self.full: int | None = None
        """Sequence of the datagram that fills the path's MTU, None where there is none."""
        self.full_size = 0
        """UDP payload of that datagram (bytes)."""
        self.refused: set[int] = set()
        self.errors: list[NetError] = []
        self.sent = self.duplicates = self.late = self.seen = self.gap = 0
        self.starved = 0.0
        self.mismatch = self.misdelivered = False

    @property
    def settled(self) -> bool:
        """True once no more answers are expected."""
        return len(self.answered) + len(self.refused) >= self.sent

    def note_error(self, error: NetError) -> None:
        """Keep an error, among the first few different ones."""
        if len(self.errors) < _ERRORS and error not in self.errors:
            self.errors.append(error)

    def fits(self, error: NetError) -> bool:
        """Return whether "too big" cannot be about this train, since its packets are no bigger than what passes."""
        return 0 < max(self.size, self.full_size) + HEADERS[self.family] <= error.mtu

    def note_answer(self, answer: Datagram, stamp: int | None, read_at: int) -> None:
        """Take an answer that belongs to this train; `stamp` is the kernel's for its arrival.

        An answer that the kernel had in time counts, however late it is read.
        """
        sequence = answer.sequence
        if sequence >= len(self.ports) or not self.ports[sequence]:
            return
        if self.meant is not None and not self.meant.may_answer(answer.source, bool(answer.flags & CERTAIN)):
            self.misdelivered = True
            self.refused.add(sequence)
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
        """Measure by the kernel's stamps; where it gave none of the sending, by the own clock until the answer's stamp.
        Stamps that contradict the own clock measure nothing, since the wall clock was set, and neither does the moment
        at which a stamped answer was read, since it lay waiting for a tick."""
        elapsed = read_at - self.sent_at[sequence]
        left = self.left[sequence] or self.sent_at[sequence] + self.wall_deadline - self.deadline
        if not stamp:
            self.rtt[sequence] = max(elapsed - hold, 1) / 1e9
        elif hold < stamp - left <= elapsed + _SLACK:
            self.rtt[sequence] = (stamp - left - hold) / 1e9
            self.exact[sequence] = self.left[sequence] > 0

    def result(self) -> TrainResult:
        """Return the outcome by now."""
        clock, rtts = self._round_trips()
        full_sent = self.full is not None and self.ports[self.full] > 0
        full_received = self.full in self.answered
        return TrainResult(
            Train(
                number=self.number,
                duplicates=self.duplicates,
                reordered=self._reordered(),
                late=self.late,
                seen=self.seen,
                size=self.size,
                rate=self._rate(),
                ports=self._tallies(),
                full=self.full_size + HEADERS[self.family] if full_sent else 0,
                full_sent=int(full_sent),
                full_received=int(full_received),
            ),
            at=self.began / 1e9,
            sent=self.sent - full_sent,
            received=len(self.answered) - full_received,
            rtts=rtts,
            clock=clock,
            starved=self.starved,
            mismatch=self.mismatch,
            misdelivered=self.misdelivered,
            errors=tuple(self.errors),
        )

    def _round_trips(self) -> tuple[StampSource, tuple[float, ...]]:
        """Return the kernel's round trips, or, where it gave none at all, the own ones: never a mix of both."""
        small = [sequence for sequence in range(len(self.ports)) if sequence != self.full]
        exact = any(self.exact[sequence] for sequence in small)
        rtts = tuple(rtt for sequence in small if (rtt := self.rtt[sequence]) and self.exact[sequence] is exact)
        return (StampSource.KERNEL if exact else StampSource.USER), rtts

    def _reordered(self) -> int:
        arrivals = sorted(self.answered.keys() - {self.full}, key=self.answered.__getitem__)
        highest, count = -1, 0
        for sequence in arrivals:
            count += sequence < highest
            highest = max(highest, sequence)
        return count

    def _rate(self) -> float | None:
        """Return the bottleneck's rate by packet-train dispersion (bits/s), None where the spacing shows none."""
        if self.seen < _RATE_TRAIN or not self.gap:
            return None
        rate = 8e9 * (self.size + HEADERS[self.family]) / self.gap
        if rate >= RATE_LIMIT:
            return None
        left = [stamp for stamp in (self.left if all(self.left) else self.sent_at) if stamp]
        gaps = [after - before for before, after in pairwise(left)]
        return rate if gaps and self.gap >= _SPREAD * median(gaps) else None

    def _tallies(self) -> tuple[PortTally, ...]:
        counts: dict[int, list[int]] = {}
        for sequence, port in enumerate(self.ports):
            if port and sequence != self.full:
                tally = counts.setdefault(port, [0, 0])
                tally[0] += 1
                tally[1] += sequence in self.answered
        return tuple(PortTally(port, sent, received) for port, (sent, received) in counts.items())


def median(values: list[int]) -> int:
    """Return the median, the upper one of two. The module `statistics` would cost an agent two megabytes."""
    return sorted(values)[len(values) // 2]


def _told(error: NetError) -> tuple[Fault, str]:
    fault, words = fault_of(OSError(error.errno, ""))
    return fault, f"{words}, said by {_speaker(error)}"


def _speaker(error: NetError) -> str:
    return error.by or ("this machine" if error.local else "the network")


def _is_too_big(error: NetError) -> bool:
    return error.errno == errno.EMSGSIZE and not error.local
