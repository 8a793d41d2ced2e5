"""Whether what loses packets comes and goes: many bursts of one part within a minute, whose pauses do not end it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from kubesonar.core.diagnosis.inference.persistence import SLOT

RECURRING = 6
"""Bursts of one part within a minute that do not come by chance: where a part has one each ten minutes, and a cluster
a thousand of these, six within a minute come once in three months. Fewer, and they do; more, and loss that comes and
goes is told later."""

_LEAST_WORTH = 8.0
"""Nats that the bad trains of one burst must be worth, half of what makes a finding. Less, and single packets that are
lost by chance are bursts; more, and bursts of a single pair, of a second, are none."""

_FEWEST = 2
"""Bad trains of which a burst consists, at least: a single one may be lost for any reason."""

_OF_ONE_PAIR = 0.75
"""Share of a burst's bad trains that may be of a single pair of nodes, where several cross the part. Lower, and short
bursts of a node in a mesh of three do not count; higher, and a burst of a pair is one of its nodes."""

_GOOD_TRAINS = 4.0
"""Trains that should have crossed it in a pause. Fewer, and a burst is several where trains happen to be apart; more,
and the bursts of a pair are one."""

_LEAST_SPAN = 20.0
"""Seconds over which the bursts must be spread: one burst in 20,000 lasts as long. Shorter, and a single long burst
that falls apart is several; longer, and loss that comes and goes is told later."""

_PAUSES = 3.0
"""Times as long as its mean pause that it may be silent for now: one pause in twenty is longer. Less, and it is held to
have ended again and again; more, and it is told for longer after its cure."""

_LONGEST_PAUSE = 6.0
"""Seconds of silence that are always an end. Longer, and it is told for longer after its cure; shorter, and what comes
and goes slowly is told in turns."""


class LostTrain(NamedTuple):
    """A train that was bad: when, what there is to explain of it (nats), and between which nodes it went."""

    at: float
    worth: float
    pair: frozenset[str]


class _Burst(NamedTuple):
    first: float
    last: float
    own: bool
    """Whether it is more than chance, and of the part as a whole."""


def may_recur(times: Sequence[float]) -> bool:
    """Return whether bad trains at these `times` (s), in order, may be of bursts that come and go: whether they have
    pauses enough for it. It costs little to tell, so that what is lost without pause is not looked at any further."""
    if len(times) < RECURRING * _FEWEST or times[-1] - times[0] < _LEAST_SPAN:
        return False
    return sum(after - before > SLOT for before, after in pairwise(times)) >= RECURRING - 1


def share_in_bursts(lost: Sequence[LostTrain], rate: float, *, pairs: int, until: float) -> float:
    """Return for which share of the time a part is in bursts that come and go; 0 where it had not enough of them, or is
    silent for longer than between them, at `until`. `lost` are the trains in order, `rate` is how many cross the part
    in a second, `pairs` between how many pairs of nodes."""
    if len(lost) < RECURRING * _FEWEST or not rate:
        return 0.0
    bursts = list(_bursts(lost, max(SLOT, _GOOD_TRAINS / rate), pairs))
    own = [burst for burst in bursts if burst.own]
    if len(own) < RECURRING or own[-1].last - own[0].first < _LEAST_SPAN:
        return 0.0
    silent = sum(after.first - before.last for before, after in pairwise(bursts))
    if until - own[-1].last > min(_LONGEST_PAUSE, _PAUSES * silent / (len(bursts) - 1)):
        return 0.0
    return max(0.0, 1.0 - silent / (bursts[-1].last - bursts[0].first))


def _bursts(lost: Sequence[LostTrain], pause: float, pairs: int) -> list[_Burst]:
    """Return the runs of bad trains between which nothing was lost for longer than a pause (s)."""
    runs: list[list[LostTrain]] = []
    for train in lost:
        if not runs or train.at - runs[-1][-1].at > pause:
            runs.append([])
        runs[-1].append(train)
    return [_Burst(run[0].at, run[-1].at, _is_own(run, pairs)) for run in runs]


def _is_own(run: Sequence[LostTrain], pairs: int) -> bool:
    """Return whether that run is worth a burst, and of no single pair where the part is of several."""
    if len(run) < _FEWEST or sum(train.worth for train in run) < _LEAST_WORTH:
        return False
    return pairs < 2 or max(Counter(train.pair for train in run).values()) <= _OF_ONE_PAIR * len(run)
