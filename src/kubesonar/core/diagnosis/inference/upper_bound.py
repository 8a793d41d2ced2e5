"""The most that a part can explain, told from what failed on it and from how many trains passed it well: so that of a
thousand nodes that lose a little only those are looked at that may stand out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import log

from kubesonar.core.diagnosis.inference.likelihood import Belief
from kubesonar.core.diagnosis.inference.trial_model import Odds


def upper_bound(sick: Iterable[Belief], passed: Sequence[float], usual: Odds) -> float:
    """Return the most (nats) that any rate of loss explains of these trials in any stretch of the newest bins. `passed`
    are the trains of each bin that crossed the part and are not among these; `usual` are the least odds of a train in a
    network that is well. Of each outcome the best rate is taken by itself, which is never less than the best of one
    rate for all; trials that are no trains are taken to be explained for nothing."""
    newest = len(passed)
    total, partly, dead, rest = [*passed], [0] * newest, [0] * newest, [0.0] * newest
    for belief in sick:
        if belief.cell.packets > 1 and belief.untouched is not None:
            for index in range(newest):
                total[index] += belief.total[index]
                if belief.bad[index]:
                    dead[index] += belief.dead[index]
                    partly[index] += belief.bad[index] - belief.dead[index]
        else:
            for index, nats in enumerate(belief.nats(newest)):
                rest[index] += nats
    best = 0.0
    for start in range(newest):
        if not (partly[start] or dead[start] or rest[start]):
            continue
        trains = losses = deaths = more = 0.0
        for index in range(start, newest):
            trains += total[index]
            losses += partly[index]
            deaths += dead[index]
            more += rest[index]
            gain = more + best_gain(losses, trains * (usual.bad - usual.dead)) + best_gain(deaths, trains * usual.dead)
            best = max(best, gain)
    return best


def best_gain(seen: float, expected: float) -> float:
    """What the best rate explains of so many outcomes where so many were expected (nats)."""
    return seen * log(seen / expected) - seen + expected if seen > expected > 0 else 0.0
