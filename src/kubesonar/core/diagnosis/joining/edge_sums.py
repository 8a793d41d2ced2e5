"""What one edge says without a look at each of its trials, which costs the same whether it has few or many."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from kubesonar.core.address import family_of, is_literal
from kubesonar.core.diagnosis.inference.slow_links import SLOW
from kubesonar.model import Edge, Observation, Trial

_SIZED = 4
"""Newest trials of big packets among which a slow one is looked for. Fewer, and a link whose rate is not told each time
is not seen; more, and one that is fast again is looked at for longer."""


class EdgeSums(msgspec.Struct, frozen=True, gc=False):
    """Of an edge: whether any trial was bad or told nothing, how many trials there were, and what was sent and received
    in the short window."""

    bad: bool
    trials: int
    sent: int
    received: int


def sums_of(edge: Edge, now: float) -> EdgeSums:
    """Return what the windows say; where the short one has no sums, as with a collector, what the newest trials say."""
    long, short, trials = edge.long, edge.short, edge.trials
    bad = long.failed > 0 or long.unknown > 0 or long.received < long.sent
    if short.observations or not trials:
        return EdgeSums(bad, long.observations, short.sent, short.received)
    sent, received, since = 0, 0, now - short.span
    for trial in reversed(trials):
        at = trial.at
        if at < since:
            break
        if at <= now:
            sent += trial.sent
            received += trial.received
    return EdgeSums(bad, long.observations, sent, received)


def saw_slow_link(trials: Sequence[Trial]) -> bool:
    """Return whether any of the newest trials of big packets saw the rate of a slow link."""
    return any(0 < trial.rate < SLOW for trial in trials[-_SIZED:])


def observed_family(latest: Observation) -> int:
    """Return the address family that a check goes by; that of its latest observation where it asks a name."""
    address = latest.check.address
    return family_of(address) if is_literal(address) else latest.family
