"""How well one sick part explains what was seen: the likelihood of the evidence with it, against without it.

A part is taken to lose each packet with a rate, since some age. What a rate does to a trial depends on the trial: a
train of m datagrams is bad with probability 1 - (1 - rate)^m; a TCP connection sends its lost segments again and is
given up when two in a row are lost (Linux sends a SYN again after 1 s and 3 s, timeouts are about 2 s). So success of
TCP does not contradict a loss of 5 %, and failure of it does not count as a loss of 5 %.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import exp, log

import msgspec

from kubesonar.core.evidence import STREAM, Cell

RATES = (0.003, 0.006, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 0.92, 0.98, 0.999)
"""The rates of loss that are tried."""

BACKGROUND = 1e-3
"""Share of bad trials in a network that is well, at least; learned upwards to `BACKGROUND_LIMIT`."""

BACKGROUND_LIMIT = 0.02

_ENDED = 6.0
"""A fault has ended when that explains its trials this much (nats) better than that it still lasts."""

CONFIDENT = 5.0
"""Scale of `confidence`, in nats."""


def badness(packets: int, rate: float) -> float:
    """Probability that a trial of so many datagrams (or `STREAM`) is bad where packets are lost at this rate."""
    return rate * rate if packets == STREAM else 1 - (1 - rate) ** packets


def confidence(net: float) -> float:
    """1 - exp(-net / 5), below 1: `net` is the gain in nats after the prior's penalty. 10 nats, the least that makes a
    finding, are 0.86; 25 are 0.99."""
    return min(0.9999, 1 - exp(-max(0.0, net) / CONFIDENT))


class Belief:
    """A cell, and how probable a bad trial in it is already, bin by bin. A bin that has been forgotten counts zero."""

    __slots__ = ("bad", "cell", "expected", "total")

    def __init__(self, cell: Cell, background: float) -> None:
        self.cell = cell
        self.total = list(cell.total)
        self.bad = list(cell.bad)
        self.expected = [background] * len(cell.total)

    def explain(self, rate: float, bins: int) -> None:
        """Expects what a part that lost `rate` through the newest `bins` does; what was before it is history."""
        share = badness(self.cell.packets, rate)
        for index in range(bins):
            self.expected[index] = 1 - (1 - self.expected[index]) * (1 - share)
        self.forget(bins, len(self.total))

    def forget(self, start: int, stop: int) -> None:
        """Leaves the bins from `start` to `stop` out of account."""
        for index in range(start, stop):
            self.total[index] = self.bad[index] = 0


class Fit(msgspec.Struct, frozen=True):
    """The best account of one part: `gain` in nats with loss at `rate` through the newest `bins`. `ended` is the bin in
    which it ended, 0 while it lasts."""

    gain: float
    rate: float
    bins: int
    ended: int


def fit(beliefs: Iterable[Belief]) -> Fit:
    """The best rate and onset of a part which all these trials cross."""
    table = _table(beliefs)
    best = Fit(0.0, 0.0, 0, 0)
    for index, rate in enumerate(RATES):
        gain = 0.0
        for stop, row in enumerate(table):
            gain += row[index]
            if gain > best.gain:
                best = Fit(gain, rate, stop + 1, 0)
    return msgspec.structs.replace(best, ended=_end(table, best.gain)) if best.bins else best


def _table(beliefs: Iterable[Belief]) -> list[list[float]]:
    """Gain by bin and rate."""
    counts: dict[tuple[int, int, float], list[int]] = {}
    bins = 0
    for belief in beliefs:
        bins = len(belief.total)
        packets = belief.cell.packets
        for index, total in enumerate(belief.total):
            if total:
                key = (index, packets, belief.expected[index])
                count = counts.get(key)
                if count is None:
                    count = counts[key] = [0, 0]
                count[0] += total
                count[1] += belief.bad[index]
    table = [[0.0] * len(RATES) for _ in range(bins)]
    for (index, packets, expected), (total, bad) in counts.items():
        row = table[index]
        for column, (share, good_log) in enumerate(_shares(packets)):
            row[column] += (total - bad) * good_log
            if bad:
                row[column] += bad * log((1 - (1 - expected) * (1 - share)) / expected)
    return table


_SHARES: dict[int, list[tuple[float, float]]] = {}


def _shares(packets: int) -> list[tuple[float, float]]:
    found = _SHARES.get(packets)
    if found is None:
        shares = [min(badness(packets, rate), 0.9995) for rate in RATES]
        found = _SHARES[packets] = [(share, log(1 - share)) for share in shares]
    return found


def _end(table: list[list[float]], lasting: float) -> int:
    """The bin in which the fault ended, where an end explains much more; else 0."""
    best, ended = lasting + _ENDED, 0
    for index in range(len(RATES)):
        for start in range(1, len(table)):
            gain = 0.0
            for row in table[start:]:
                gain += row[index]
                if gain > best:
                    best, ended = gain, start
    return ended


def learn_background(cells: list[Cell]) -> float:
    """The share of bad trials where the network is best: over the better half of all routes, so that a fault does not
    pass for the usual."""
    shares = sorted((sum(cell.bad) / sum(cell.total), sum(cell.bad), sum(cell.total)) for cell in cells)
    half = shares[: (len(shares) + 1) // 2]
    total = sum(entry[2] for entry in half)
    share = sum(entry[1] for entry in half) / total if total else 0.0
    return min(max(share, BACKGROUND), BACKGROUND_LIMIT)
