"""The most that a part can explain, told from what failed on it and from how many trains passed it well: so that of a
thousand nodes that lose a little only those are looked at that may stand out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import log

from kubesonar.core.diagnosis.inference.belief import Belief
from kubesonar.core.diagnosis.inference.trial_model import Odds


def upper_bound(sick: Iterable[Belief], passed: Sequence[float], usual: Odds) -> float:
    """Return the most (nats) that any rate of loss explains of these trials in any stretch of the newest bins. `passed`
    are the trains of each bin that crossed the part and are not among these; `usual` are the least odds of a train in a
    network that is well. Of each outcome the best rate is taken by itself, which is never less than the best of one
    rate for all; trials that are no trains are taken to be explained for nothing."""
    newest = len(passed)
    total, partly, dead, rest = [*passed], [0] * newest, [0] * newest, [0.0] * newest
    for belief in sick:
        if belief.cell.packets > 1 and belief.expectation.untouched:
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
            best = max(best, more + best_gain(trains, (losses, usual.bad - usual.dead), (deaths, usual.dead)))
    return best


def best_gain(trials: float, *outcomes: tuple[float, float]) -> float:
    """Return what the best rates explain of so many trials (nats). Each outcome that is no success is given by how
    often it was seen and by its odds when all is well; one that is no more frequent than usual counts as a success."""
    gain, good = 0.0, trials
    for seen, odds in outcomes:
        if seen > trials * odds > 0:
            gain += seen * log(seen / (trials * odds)) - trials * log(1 - odds)
            good -= seen
    return gain + good * log(good / trials) if 0 < good < trials else gain
