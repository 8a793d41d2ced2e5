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

from kubesonar.core.diagnosis.components import Part
from kubesonar.core.diagnosis.evidence import STREAM, Cell
from kubesonar.core.diagnosis.path_features import Way

RATES = (0.003, 0.006, 0.01, 0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.65, 0.8, 0.92, 0.98, 0.999)
"""The rates of loss that are tried."""

BACKGROUND = 1e-3
"""Share of bad trials in a network that is well, at least; learned upwards to `BACKGROUND_LIMIT`, for each number of
packets in a trial."""

BACKGROUND_LIMIT = 0.05

_ENDED = 6.0
"""A fault has ended when that explains its trials this much (nats) better than that it still lasts."""

CONFIDENT = 5.0
"""Scale of `confidence`, in nats."""


_CAUTION = 1.5
"""What is learned of the background is taken this much higher, because losses come in bursts."""

Load = tuple[int, int]
"""Packets in a trial (or `STREAM`), and how often each crosses the part: twice if it is both ways of a round trip."""


def badness(load: Load, rate: float) -> float:
    """Probability that a trial is bad where packets are lost at this rate."""
    packets, crossings = load
    lost = 1 - (1 - rate) ** crossings
    return lost * lost if packets == STREAM else 1 - (1 - lost) ** packets


def load(part: Part, cell: Cell) -> Load:
    """How the trials of that cell cross that part."""
    return cell.packets, 2 if part.both and cell.route.way is Way.ROUND else 1


def confidence(net: float) -> float:
    """1 - exp(-net / 5), below 1: `net` is the gain in nats after the prior's penalty. 16 nats, the least that makes a
    finding, are 0.96; 25 are 0.99."""
    return min(0.9999, 1 - exp(-max(0.0, net) / CONFIDENT))


class Belief:
    """A cell, and how probable a bad trial in it is already, bin by bin. A bin that has been forgotten counts zero."""

    __slots__ = ("bad", "cell", "expected", "total")

    def __init__(self, cell: Cell, background: float) -> None:
        self.cell = cell
        self.total = list(cell.total)
        self.bad = list(cell.bad)
        self.expected = [background] * len(cell.total)

    def explain(self, part: Part, rate: float, bins: int) -> None:
        """Expects what this part does, losing `rate` through the newest `bins`."""
        share = badness(load(part, self.cell), rate)
        for index in range(bins):
            self.expected[index] = 1 - (1 - self.expected[index]) * (1 - share)

    def forget(self, start: int, stop: int) -> None:
        """Leaves the bins from `start` to `stop` out of account."""
        for index in range(start, stop):
            self.total[index] = self.bad[index] = 0


class Fit(msgspec.Struct, frozen=True):
    """The best account of one part: `gain` in nats with loss at `rate` through the newest `bins`. `ended` is the bin in
    which it ended, 0 while it lasts; `past` is the gain of that account, never less than `gain`."""

    gain: float
    rate: float
    bins: int
    ended: int
    past: float


def fit(part: Part, beliefs: Iterable[Belief], newest: int) -> Fit:
    """The best rate and onset of a part which all these trials cross, by so many of the newest bins."""
    table = _table(part, beliefs)[:newest]
    best = Fit(0.0, 0.0, 0, 0, 0.0)
    for index, rate in enumerate(RATES):
        gain = 0.0
        for stop, row in enumerate(table):
            gain += row[index]
            if gain > best.gain:
                best = Fit(gain, rate, stop + 1, 0, gain)
    past, ended = _end(table, best.gain)
    return msgspec.structs.replace(best, ended=ended, past=past) if ended else best


def _table(part: Part, beliefs: Iterable[Belief]) -> list[list[float]]:
    """Gain by bin and rate."""
    counts: dict[tuple[int, Load, float], list[int]] = {}
    bins = 0
    for belief in beliefs:
        bins = len(belief.total)
        crossing = load(part, belief.cell)
        for index, total in enumerate(belief.total):
            if total:
                key = (index, crossing, belief.expected[index])
                count = counts.get(key)
                if count is None:
                    count = counts[key] = [0, 0]
                count[0] += total
                count[1] += belief.bad[index]
    table = [[0.0] * len(RATES) for _ in range(bins)]
    for (index, crossing, expected), (total, bad) in counts.items():
        row = table[index]
        for column, (share, good_log) in enumerate(_shares(crossing)):
            row[column] += (total - bad) * good_log
            if bad:
                row[column] += bad * log((1 - (1 - expected) * (1 - share)) / expected)
    return table


_SHARES: dict[Load, list[tuple[float, float]]] = {}


def _shares(crossing: Load) -> list[tuple[float, float]]:
    found = _SHARES.get(crossing)
    if found is None:
        shares = [min(badness(crossing, rate), 0.9995) for rate in RATES]
        found = _SHARES[crossing] = [(share, log(1 - share)) for share in shares]
    return found


def _end(table: list[list[float]], lasting: float) -> tuple[float, int]:
    """The gain with an end and the bin in which the fault ended, 0 where an end does not explain much more."""
    best, ended = lasting + _ENDED, 0
    for index in range(len(RATES)):
        for start in range(1, len(table)):
            gain = 0.0
            for row in table[start:]:
                gain += row[index]
                if gain > best:
                    best, ended = gain, start
    return best, ended


def learn_background(cells: Iterable[Cell]) -> dict[int, float]:
    """The share of bad trials by their number of packets: of the median pair of places, so that a fault, which few
    pairs share, does not pass for the usual."""
    counts: dict[int, dict[tuple[str, str], list[int]]] = {}
    for cell in cells:
        ends = sorted((cell.route.source.place, cell.route.target.place))
        count = counts.setdefault(cell.packets, {}).setdefault((ends[0], ends[1]), [0, 0])
        count[0] += sum(cell.total)
        count[1] += sum(cell.bad)
    return {packets: _usual(list(pairs.values())) for packets, pairs in counts.items()}


def _usual(pairs: list[list[int]]) -> float:
    shares = sorted(bad / total for total, bad in pairs)
    return min(max(_CAUTION * shares[(len(shares) - 1) // 2], BACKGROUND), BACKGROUND_LIMIT)
